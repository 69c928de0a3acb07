"""A return as its page shows it: where it stands, why, what it waits for, units and money, documents and calls, and its timeline with the files."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import RaState
from gateway.store import files, received, returns
from gateway.views import cases


def rma_of(connection: Connection, number: str) -> str:
    """The RMA that a number names: itself, or the one of an RA."""
    ra = returns.load_authorization(connection, number)
    return ra.document.rma if ra else number


def tell(connection: Connection, rma: str) -> dict[str, Any]:
    """Everything of a return for its page."""
    found = cases.story(connection, rma)
    held = returns.load_return(connection, rma)
    authorizations = returns.authorizations_of(connection, rma)
    names = _file_names(connection, found["timeline"])
    return {
        "story": found,
        "document": held.document if held else None,
        "ras": [_ra(connection, ra) for ra in authorizations],
        "flagged": any(ra.state == RaState.FLAGGED for ra in authorizations),
        "because": because(connection, rma, found),
        "why": cases.explain(connection, rma),
        "timeline": [event | {"file": names.get(event["file_id"] or 0, "")} for event in found["timeline"]],
        "documents": [document for ra in authorizations for document in files.documents_for(connection, ra.document.ra)],
        "receipts": received.receipts_of_return(connection, rma),
    }


def because(connection: Connection, rma: str, found: dict[str, Any]) -> list[str]:
    """Why it stands where it stands, in the sentences that a person needs: hold, decision, refunds, exchange, and what it needs a person for."""
    said = [f"It is held or has nothing to send: {found['hold']}."] if found["hold"] else []
    if found["decision"]:
        said += reversed(cases.explain_decision(connection, rma, found["decision"]))
    said += [cases.explain_refund(refund) for refund in found["refunds"]]
    if found["exchange"]:
        said.append(f"Exchange: {found['exchange']}.")
    return said + [f"Needs a person: {t['text']}." + (f" To do: {t['advice']}." if t["advice"] else "") for t in found["tasks"]]


def _ra(connection: Connection, held: returns.HeldAuthorization) -> dict[str, Any]:
    """An RA with its lines: what was expected and what came, with title and value."""
    titles = {line.sku: line for line in held.document.lines}
    lines = []
    for row in returns.lines_of(connection, held.document.ra):
        line = titles.get(row["sku"])
        missing = row["expected"] - row["good"] - row["second"] - row["not_returned"]
        lines.append(row | {"title": line.title if line else "", "value": (line.value + line.tax) if line else 0, "missing": missing})
    return {"held": held, "document": held.document, "state": held.state.value, "lines": lines}


def _file_names(connection: Connection, timeline: list[dict[str, Any]]) -> dict[int, str]:
    wanted = {event["file_id"] for event in timeline if event["file_id"]}
    found = (files.load(connection, number) for number in wanted)
    return {file.id: file.name for file in found if file}
