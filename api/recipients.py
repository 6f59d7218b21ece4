"""Who is told, and what for: the client that the guard let in, and the user it acts for.

A portal shows people to its users, so the trail must know which user looked. The index cannot see
them: the client names them in headers and vouches for it, as it does for having them logged in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request

from mpi.domain.policy import Duty, Permit, Role
from mpi.errors import InvalidInput
from mpi.services.disclosure import EndUser, Recipient

PURPOSE_HEADER: Final = "X-Purpose-Of-Use"
PURPOSES: Final = frozenset({"TREAT", "ETREAT", "BTG", "HOPERAT", "PATRQT", "HSYSADMIN"})
"""Codes of HL7 v3 PurposeOfUse that an index answers for."""
_USER_HEADERS: Final = {
    "X-User-Id": ("id", r"[A-Za-z0-9._@:/+-]{1,128}", "how the client knows its user"),
    "X-User-Role": ("role", r"[A-Za-z0-9._:-]{1,64}", "the user's role there, such as R8000"),
    "X-User-Organisation": ("organisation", r"[A-Z0-9]{1,12}", "ODS code of the user's employer"),
}
"""Header -> field, what it may hold, what it means."""


async def recipient_of(request: Request) -> Recipient:
    """Who is told: what the guard has permitted, and for whom and what the client says to ask.

    Raises:
        InvalidInput: If a header breaks its rule, or the client must name its user and does not.
    """
    permit: Permit = request.state.permit
    assert permit.principal is not None, "the guard lets nobody in without a token here"
    user = _user(request.headers)
    if user is None and Duty.NAMED_USER in permit.duties:
        raise InvalidInput(f"{', '.join(_USER_HEADERS)}: must say for whom a view service asks")
    return Recipient(
        actor=permit.principal.client_id,
        purpose=_purpose(request.headers, permit.principal.roles),
        request_id=request.state.request_id,
        organisation=permit.principal.organisation,
        duties=permit.duties,
        user=user,
    )


def header_parameters() -> list[dict[str, Any]]:
    """The headers as parameters of OpenAPI."""
    purpose = {"type": "string", "enum": sorted(PURPOSES)}
    users = (
        _parameter(name, words, {"type": "string", "pattern": f"^{pattern}$"})
        for name, (_, pattern, words) in _USER_HEADERS.items()
    )
    return [_parameter(PURPOSE_HEADER, "what for, if not for the role's own", purpose), *users]


def _parameter(name: str, words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": words, "schema": schema}


def _user(headers: Mapping[str, str]) -> EndUser | None:
    given = {name: headers[name] for name in _USER_HEADERS if name in headers}
    if not given:
        return None
    for name, (_, pattern, _) in _USER_HEADERS.items():
        if not re.fullmatch(pattern, given.get(name, "")):
            raise InvalidInput(
                f"{name}: must match {pattern}; the three that name a user go together"
            )
    return EndUser(**{field: given[name] for name, (field, _, _) in _USER_HEADERS.items()})


def _purpose(headers: Mapping[str, str], roles: frozenset[Role]) -> str:
    """What for, as the caller states it; else what its role is there for."""
    stated = headers.get(PURPOSE_HEADER)
    if stated is None:
        return "TREAT" if Role.VIEW in roles else "HOPERAT"
    if stated not in PURPOSES:
        raise InvalidInput(f"{PURPOSE_HEADER}: must be one of {', '.join(sorted(PURPOSES))}")
    return stated
