"""What a proxy says of a caller counts only if the proxy was declared."""

from __future__ import annotations

import httpx2
import pytest

from tests.serving import serving

FORGED = {"X-Forwarded-For": "10.0.0.9", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize("is_declared", [False, True], ids=["forged", "a declared proxy's"])
def test_headers_of_a_proxy_count_only_if_it_is_declared(
    installation: dict[str, str], is_declared: bool
) -> None:
    """Figures are for callers on this machine; HSTS is for those who came by https."""
    declared = {"MPI_TRUSTED_PROXIES": "127.0.0.1"} if is_declared else {}
    with serving(installation | declared) as (_, address, _):
        figures = httpx2.get(f"{address}/metrics", headers=FORGED)
        plain = httpx2.get(f"{address}/metrics")
    assert figures.status_code == (401 if is_declared else 200)
    assert ("strict-transport-security" in figures.headers) is is_declared
    assert plain.status_code == 200
