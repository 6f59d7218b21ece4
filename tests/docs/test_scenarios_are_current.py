"""docs/scenarios.md is made of the scenarios that are tested, and of nothing else."""

from tests.spec.scenarios import PAGE, read_topics, render_page


def test_the_page_of_scenarios_is_current():
    remedy = "run python -m tests.spec.scenarios"
    assert PAGE.read_text("utf-8") == render_page(read_topics()), remedy
