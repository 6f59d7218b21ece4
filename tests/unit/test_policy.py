"""The policy refuses what it does not name, and keeps apart those who must be kept apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpi.domain.policy import (
    POLICY,
    STANDS_ALONE,
    Deny,
    Duty,
    Permit,
    Principal,
    Refusal,
    Resource,
    Role,
    decide,
)
from mpi.errors import InvalidInput
from mpi.services.clients import check_roles

ROLES = st.frozensets(st.sampled_from(Role))
ACTIONS = st.sampled_from(sorted(POLICY))
SOURCES = st.sampled_from(["gp", "ed", None])


def principal(roles: frozenset[Role], *sources: str) -> Principal:
    return Principal(client_id="c", organisation="J81001", roles=roles, sources=frozenset(sources))


@pytest.mark.parametrize("action", sorted(POLICY))
def test_administrators_see_nobody_and_auditors_change_nothing(action: str) -> None:
    rule = POLICY[action]
    assert not (rule.shows_people and Role.ADMINISTRATOR in rule.roles)
    assert not (rule.changes and rule.roles.keys() & STANDS_ALONE)
    assert not ((rule.shows_people or rule.changes) and (rule.is_public or rule.is_public_on_host))


@given(roles=ROLES, action=st.text(), source=SOURCES)
def test_an_action_that_is_not_named_is_refused(
    roles: frozenset[Role], action: str, source: str | None
) -> None:
    if action not in POLICY:
        decision = decide(principal(roles), action, Resource(source))
        assert decision == Deny(Refusal.NO_POLICY)


@given(roles=ROLES, more=ROLES, action=ACTIONS, source=SOURCES)
def test_another_role_never_takes_away(
    roles: frozenset[Role], more: frozenset[Role], action: str, source: str | None
) -> None:
    fewer = decide(principal(roles, "gp"), action, Resource(source))
    both = decide(principal(roles | more, "gp"), action, Resource(source))
    if isinstance(fewer, Permit):
        assert isinstance(both, Permit)
        assert both.duties <= fewer.duties


@given(action=ACTIONS, source=st.sampled_from(["gp", "ed"]))
def test_an_integration_touches_only_its_own_sources(action: str, source: str) -> None:
    decision = decide(principal(frozenset({Role.INTEGRATION}), "gp"), action, Resource(source))
    if isinstance(decision, Permit) and Duty.OWN_SOURCES in decision.duties:
        assert source == "gp"
        assert not decision.allows_source("ed")


@given(action=ACTIONS)
def test_without_a_token_only_what_is_public_is_permitted(action: str) -> None:
    decision = decide(None, action, Resource())
    assert isinstance(decision, Permit) == POLICY[action].is_public


@pytest.mark.parametrize("alone", sorted(STANDS_ALONE))
@pytest.mark.parametrize("other", [role for role in Role if role not in STANDS_ALONE])
def test_who_judges_does_none_of_the_work(alone: Role, other: Role) -> None:
    with pytest.raises(InvalidInput, match="beside another role"):
        check_roles([alone, other])
