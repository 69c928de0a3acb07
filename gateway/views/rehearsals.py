"""What a partner has shown in testing: the cases it must have sent or been sent before it may go live (R-161)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.store import events, files

CASES: dict[str, str] = {
    "good": "a receipt of everything announced, in good condition",
    "damaged": "a receipt with a damaged unit",
    "short": "a final receipt with a unit missing",
    "over": "a receipt with a unit too many",
    "wrong item": "a receipt of another item than announced",
    "unknown RA": "a receipt that names no RA we know",
    "duplicate": "a file or a receipt sent twice",
    "malformed": "a file that breaks its format, answered or explained by us",
    "change": "a changed RA, taken by the partner",
    "cancel": "a cancelled RA, taken by the partner",
}
TAKEN = frozenset({"accepted", "accepted with errors"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One case: what it is, and what ticked it (`shown_by`, `shown_at`) or why it is waived; `done` when either."""

    case: str
    what: str
    shown_by: str = ""
    shown_at: str = ""
    waived: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to show."""
        return bool(self.shown_by or self.waived)


def checklist(connection: Connection, *, partner: str) -> list[Check]:
    """Every case with what ticked or waived it, in the order in which they are usually tried."""
    shown = {case: json.loads(text) for case in CASES if (text := events.position(connection, shown_key(partner, case)))}
    shown |= {case: found for case, found in _sent_cases(connection, partner) if case not in shown}
    waived = {case: events.position(connection, waived_key(partner, case)) or "" for case in CASES}
    return [
        Check(case=case, what=what, shown_by=shown.get(case, {}).get("by", ""), shown_at=shown.get(case, {}).get("at", ""), waived=waived[case])
        for case, what in CASES.items()
    ]


def missing_cases(connection: Connection, *, partner: str) -> list[str]:
    """The cases that are neither shown nor waived."""
    return [check.case for check in checklist(connection, partner=partner) if not check.done]


def shown_key(partner: str, case: str) -> str:
    """Where the book keeps what ticked a case."""
    return f"shown {partner} {case}"


def waived_key(partner: str, case: str) -> str:
    """Where the book keeps why a case is waived."""
    return f"waived {partner} {case}"


def _sent_cases(connection: Connection, partner: str) -> list[tuple[str, dict[str, str]]]:
    """Changes and cancels that went to the test folder and were taken: acknowledged, or delivered where no acknowledgement is expected."""
    found = []
    for row in files.test_documents(connection, partner=partner):
        case = "cancel" if row["reason"] == "cancel" else "change" if row["version"] > 1 else ""
        taken = row["acknowledgement"] in TAKEN or (row["acknowledgement"] == "not expected" and row["delivery"] == "delivered")
        if case and taken:
            found.append((case, {"by": row["file_name"], "at": row["acknowledged_at"] or row["delivered_at"] or ""}))
    return found
