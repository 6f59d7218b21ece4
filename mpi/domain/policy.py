"""Who may do what: one table, and one function that reads it. What it does not name is refused.

An action has the name of the route, or of the command, that does it. `docs/security/policy.md` is
made from the table, and the tests ask every route as every role.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Role(StrEnum):
    """What a client was registered as."""

    INTEGRATION = "integration"
    """A source system's engine: tells what the source says of its own people."""
    VIEW = "view"
    """A portal: shows one person to those who care for them."""
    STEWARD = "steward"
    """Decides the doubtful cases."""
    AUDITOR = "auditor"
    """Reads what was done, and changes nothing."""
    ADMINISTRATOR = "administrator"
    """Runs the service, and sees nobody."""


STANDS_ALONE: Final = frozenset({Role.AUDITOR, Role.ADMINISTRATOR})
"""Roles that no client may have beside another: who judges the work does none of it."""


class Duty(StrEnum):
    """What a permission is bound to; the more duties, the less it permits."""

    OWN_SOURCES = "own_sources"
    """Only records of source systems that are the client's own."""
    UNIQUE_MATCH = "unique_match"
    """Of a search only the one certain match, else nobody: no list of strangers."""
    NAMED_USER = "named_user"
    """Only on behalf of a user whom the client names: who looks is not the portal."""


class Refusal(StrEnum):
    """Why something was refused; safe to show and to log."""

    NO_POLICY = "no-policy"
    """The table does not name the action."""
    NO_TOKEN = "no-token"
    ROLE = "role"
    """None of the principal's roles may do it."""
    OTHER_SOURCE = "other-source"
    """It may, but only to records of its own source systems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: a registered client, as it is registered now."""

    client_id: str
    organisation: str
    """ODS code."""
    roles: frozenset[Role]
    sources: frozenset[str] = frozenset()
    """The source systems that are its own."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is acted on, as far as the request's address says."""

    source: str | None = None
    """Name of a source system; None where the address names none."""


@dataclass(frozen=True, slots=True)
class Permit:
    """It may be done, under these duties; without a principal only if the action is public."""

    principal: Principal | None
    duties: frozenset[Duty] = frozenset()

    def allows_source(self, source: str) -> bool:
        """Whether records of this source system may be acted on."""
        if Duty.OWN_SOURCES not in self.duties:
            return True
        return self.principal is not None and source in self.principal.sources


@dataclass(frozen=True, slots=True)
class Deny:
    """It may not be done."""

    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may do one action: role -> duties, empty for nobody; `what` says it in words."""

    what: str
    roles: Mapping[Role, frozenset[Duty]] = field(default_factory=lambda: MappingProxyType({}))
    shows_people: bool = False
    """Its answer holds demographics: never for administrators, never without a token."""
    changes: bool = False
    """It changes records, persons, decisions or tasks: never for auditors or administrators."""
    is_public: bool = False
    """Anybody, without a token."""
    is_public_on_host: bool = False
    """Anybody on the same machine; from elsewhere the roles."""


_NONE: Final[frozenset[Duty]] = frozenset()
_OWN: Final = frozenset({Duty.OWN_SOURCES})
_UNIQUE: Final = frozenset({Duty.UNIQUE_MATCH})
_FOR_USER: Final = frozenset({Duty.NAMED_USER})
_SEEKERS: Final = {Role.INTEGRATION: _UNIQUE, Role.VIEW: _UNIQUE | _FOR_USER, Role.STEWARD: _NONE}
_READERS: Final = {Role.INTEGRATION: _NONE, Role.VIEW: _FOR_USER, Role.STEWARD: _NONE}
_OWNERS: Final = {Role.INTEGRATION: _OWN}
_STEWARDS: Final = {Role.STEWARD: _NONE}
_FOLLOWERS: Final[Mapping[Role, frozenset[Duty]]] = {
    role: _NONE for role in Role if role is not Role.ADMINISTRATOR
}
_STATERS: Final = {Role.INTEGRATION: _NONE, Role.STEWARD: _NONE}

POLICY: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "live": Rule(what="is the process alive", is_public=True),
        "ready": Rule(what="can it answer questions", is_public=True),
        "openapi": Rule(what="read the description for programs", is_public=True),
        "describe": Rule(what="read the description for people", is_public=True),
        "issue_token": Rule(what="show who one is and get a token", is_public=True),
        "list_signing_keys": Rule(what="read the public keys", is_public=True),
        "describe_authorisation": Rule(what="read how to get a token", is_public=True),
        "read_metrics": Rule(
            what="read the metrics",
            roles={Role.ADMINISTRATOR: _NONE, Role.AUDITOR: _NONE},
            is_public_on_host=True,
        ),
        "resolve": Rule(what="ask who somebody is", roles=_SEEKERS, shows_people=True),
        "read_person": Rule(what="read a golden record", roles=_READERS, shows_people=True),
        "list_person_records": Rule(
            what="read where a person has records", roles=_READERS, shows_people=True
        ),
        "read_source_record": Rule(
            what="read one source record",
            shows_people=True,
            roles={Role.INTEGRATION: _OWN, Role.VIEW: _FOR_USER, Role.STEWARD: _NONE},
        ),
        "explain": Rule(
            what="read why two records are one person's", roles=_STEWARDS, shows_people=True
        ),
        "read_person_history": Rule(
            what="read what happened to a person", roles=_READERS, shows_people=True
        ),
        "read_record_history": Rule(
            what="read what a source said over time",
            shows_people=True,
            roles={Role.INTEGRATION: _OWN, Role.STEWARD: _NONE},
        ),
        "list_changes": Rule(what="follow what happens to identities", roles=_FOLLOWERS),
        "register_record": Rule(what="register a record", roles=_OWNERS, changes=True),
        "register_batch": Rule(what="register many records", roles=_OWNERS, changes=True),
        "delete_record": Rule(what="take a record back", roles=_OWNERS, changes=True),
        "merge_record": Rule(what="merge two of its own records", roles=_OWNERS, changes=True),
        "take_merge_back": Rule(what="take such a merge back", roles=_OWNERS, changes=True),
        "state_nhs_number": Rule(
            what="say that an NHS number is disputed or superseded", roles=_STATERS, changes=True
        ),
        "preview_nhs_number": Rule(
            what="see what that would do", roles=_STATERS, shows_people=True
        ),
        "retract_nhs_number": Rule(what="take that back", roles=_STATERS, changes=True),
        "list_tasks": Rule(what="read the work list", roles=_STEWARDS),
        "read_task": Rule(what="read a task", roles=_STEWARDS, shows_people=True),
        **{
            action: Rule(what=what, roles=_STEWARDS, changes=True, shows_people=True)
            for action, what in (
                ("claim_task", "work on a task"),
                ("release_task", "give a task back"),
                ("park_task", "put a task aside"),
                ("note_task", "close a task without a decision"),
                ("decide_task", "answer a task"),
            )
        },
        "preview_task": Rule(what="see what an answer would do", roles=_STEWARDS),
        "decide": Rule(what="take a decision", roles=_STEWARDS, changes=True),
        "preview_decision": Rule(what="see what a decision would do", roles=_STEWARDS),
        "list_decisions": Rule(
            what="read decisions", roles={Role.STEWARD: _NONE, Role.AUDITOR: _NONE}
        ),
        "read_decision": Rule(
            what="read a decision", roles={Role.STEWARD: _NONE, Role.AUDITOR: _NONE}
        ),
        "retract_decision": Rule(what="take a decision back", roles=_STEWARDS, changes=True),
        "preview_retraction": Rule(what="see what that would do", roles=_STEWARDS),
        "judge_version": Rule(what="judge a held version", roles=_STEWARDS, changes=True),
        "preview_verdict": Rule(what="see what a verdict would do", roles=_STEWARDS),
        "merge_persons": Rule(what="say that two are one person", roles=_STEWARDS, changes=True),
        "split_person": Rule(what="say that one is two people", roles=_STEWARDS, changes=True),
        "list_disclosures": Rule(what="read who saw a person", roles={Role.AUDITOR: _NONE}),
    }
)
"""Action -> rule. Read-only."""


def decide(principal: Principal | None, action: str, resource: Resource) -> Permit | Deny:
    """Whether a principal may do an action to a resource, and under which duties.

    A client of several roles acts in the most permitted of those that allow the action: only the
    duties that all of them share bind it.

    Args:
        principal: Who asks; None without a sound token.
        action: Name of the route or command.
        resource: What is acted on.

    Returns:
        A permit, or the refusal with its reason. Nothing is raised: the door decides what a refusal
        looks like.
    """
    rule = POLICY.get(action)
    if rule is None:
        return Deny(Refusal.NO_POLICY)
    if rule.is_public:
        return Permit(principal)
    if principal is None:
        return Deny(Refusal.NO_TOKEN)
    allowed = [rule.roles[role] for role in principal.roles if role in rule.roles]
    if not allowed:
        return Deny(Refusal.ROLE)
    permit = Permit(principal, frozenset.intersection(*allowed))
    if resource.source is not None and not permit.allows_source(resource.source):
        return Deny(Refusal.OTHER_SOURCE)
    return permit


def policy_page() -> str:
    """The table as a Markdown page for people who judge it: a row an action, a column a role."""
    head = ["Action", *Role, "without a token"]
    lines = [
        "# Who may do what",
        "",
        "Made from `mpi/domain/policy.py`; the tests ask every route as every role and compare",
        "with this page. What is not named here is refused.",
        "",
        "* **own**: only records of source systems that are the client's own.",
        "* **unique**: of a search only the one certain match, else nobody.",
        "* **user**: only for a user whom the client names in the request.",
        "",
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(f"| {' | '.join(_row(action, rule))} |" for action, rule in POLICY.items()),
        "",
        "Auditor and administrator stand alone: no client has one of them beside another role.",
    ]
    return "\n".join(lines) + "\n"


def _row(action: str, rule: Rule) -> list[str]:
    return [f"`{action}`: {rule.what}", *(_cell(rule, role) for role in Role), _public_cell(rule)]


def _cell(rule: Rule, role: Role) -> str:
    if rule.is_public:
        return "yes"
    if role not in rule.roles:
        return "-"
    words = {Duty.OWN_SOURCES: "own", Duty.UNIQUE_MATCH: "unique", Duty.NAMED_USER: "user"}
    return ", ".join(words[duty] for duty in sorted(rule.roles[role])) or "yes"


def _public_cell(rule: Rule) -> str:
    if rule.is_public:
        return "yes"
    return "on the same machine" if rule.is_public_on_host else "-"
