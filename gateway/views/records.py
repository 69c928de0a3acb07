"""Everything in the book as plain records, in the documented shapes (`gateway export --json`, schema `gateway-export-1`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from gateway.domain.receiving import Decision
from gateway.store import effects, events, files, ledger, received, returns

SCHEMA = "gateway-export-1"


def authorizations(connection: Connection, rma: str | None = None) -> list[dict[str, Any]]:
    """RAs with their lines, decision and acknowledgement; all, or those of one RMA."""
    found = []
    for held in returns.every_authorization(connection) if rma is None else returns.authorizations_of(connection, rma):
        ra = held.document
        decided = returns.load_decision(connection, ra.rma)
        decision: Decision | None = decided["decision"] if decided else None
        found.append(
            {
                "ra": ra.ra,
                "rma": ra.rma,
                "version": ra.version,
                "partner": ra.partner,
                "warehouse": ra.warehouse,
                "state": held.state.value,
                "hold": held.hold,
                "decision": {"remove": "process"}.get(decision.verdict.value, decision.verdict.value) if decision else "none",
                "reasons": [str(reason) for reason in decision.reasons] if decision else [],
                "ack": acknowledgement(connection, ra.ra),
                "lines": [line(row) for row in returns.lines_of(connection, ra.ra)],
            }
        )
    return found


def line(row: dict[str, Any]) -> dict[str, Any]:
    """One RA line: expected = good + second + missing + not returned."""
    missing = row["expected"] - row["good"] - row["second"] - row["not_returned"]
    names = ("sku", "expected", "good", "second", "not_returned", "over")
    return {name: row[name] for name in names} | {"missing": missing}


def acknowledgement(connection: Connection, ra: str) -> str:
    """The acknowledgement of the newest document sent for an RA."""
    sent = files.documents_for(connection, ra)
    word = sent[-1]["acknowledgement"] if sent else "not expected"
    return {"not expected": "not_expected", "accepted with errors": "accepted"}.get(word, word)


def all_files(connection: Connection) -> list[dict[str, Any]]:
    """Files in and out."""
    names = ("id", "direction", "partner", "name", "sha256", "size", "reason", "control", "resend_of", "resends")
    return [{name: getattr(f, name) for name in names} | {"outcome": f.outcome or f.state} for f in files.list_files(connection)]


def all_documents(connection: Connection) -> list[dict[str, Any]]:
    """The documents of each return: what was sent for it, its acknowledgement, and its receipts; with file and place."""
    rma_of = {held.document.ra: held.document.rma for held in returns.every_authorization(connection)}
    by_id = {f.id: f for f in files.list_files(connection)}
    sent = [
        {"rma": rma_of.get(row["ra"], ""), "ra": row["ra"], "document": row["document"], "direction": "out", "file": row["file_name"], "place": ""}
        | {name: row[name] for name in ("partner", "validation", "delivery", "acknowledgement", "version")}
        for row in files.sent_documents_all(connection)
    ]
    came = [
        {"rma": rma_of.get(held.ra or "", ""), "ra": held.ra or "", "document": "receipt", "direction": "in", "partner": held.document.partner}
        | {
            "file": by_id[held.file_id].name,
            "place": by_id[held.file_id].place,
            "receipt": held.document.receipt_no,
            "position": held.document.position,
        }
        for held in received.list_receipts(connection)
        if held.file_id in by_id
    ]
    return sorted([*sent, *came], key=lambda d: (d["rma"], d["direction"] == "in"))


def all_receipts(connection: Connection, rma: str | None = None) -> list[dict[str, Any]]:
    """Receipt lines; all, or those of one RMA."""
    if rma is None:
        held_receipts, hashes = received.list_receipts(connection), {f.id: f.sha256 for f in files.list_files(connection)}
    else:
        held_receipts = received.receipts_of_return(connection, rma)
        found = (files.load(connection, number) for number in {held.file_id for held in held_receipts if held.file_id})
        hashes = {file.id: file.sha256 for file in found if file}
    return [
        {
            "id": held.id,
            "partner": held.document.partner,
            "receipt_no": held.document.receipt_no,
            "ra": held.ra or "",
            "ra_reference": held.document.ra_reference,
            "state": held.state,
            "sku": one.sku or one.stated,
            "good": one.good,
            "second": one.second,
            "grade": one.grade,
            "disposition": one.disposition,
            "photos": list(one.photos),
            "file_sha256": hashes.get(held.file_id or 0, ""),
        }
        for held in held_receipts
        for one in held.document.lines
    ]


def all_effects(connection: Connection, rma: str | None = None) -> list[dict[str, Any]]:
    """Effects outside; all, or those on one RMA."""
    names = ("id", "kind", "target", "version", "attempts", "cause")
    found = effects.list_effects(connection) if rma is None else effects.of_target(connection, rma)
    return [{name: getattr(e, name) for name in names} | {"state": e.state.value} for e in found]


def all_refunds(connection: Connection, rma: str | None = None) -> list[dict[str, Any]]:
    """Refunds with their message; all, or those of one RMA."""
    names = ("refund_id", "order_id", "rma", "credit", "cash", "currency", "status")
    found = ledger.list_refunds(connection) if rma is None else ledger.refunds_of(connection, rma)
    return [{name: row[name] for name in names} | {"reason": row["message"]} for row in found]


def all_invoices(connection: Connection, rma: str | None = None) -> list[dict[str, Any]]:
    """Credit invoices with their settlement; all, or those of one RMA."""
    found = ledger.list_invoices(connection) if rma is None else ledger.invoices_of(connection, rma)
    return [row | {"settlements": json.loads(row["settlements"])} for row in found]


def all_stock(connection: Connection) -> list[dict[str, Any]]:
    """The stock ledger."""
    return [
        {
            "warehouse": row["warehouse"],
            "sku": row["sku"],
            "qty": row["quantity"],
            "cause": row["cause"],
            "ref": row["reference"],
            "remark": row["remark"],
            "time": row["posted_at"],
        }
        for row in ledger.movements(connection)
    ]


def all_orders(connection: Connection, rma: str | None = None) -> list[dict[str, Any]]:
    """Exchange orders; all, or those of one RMA."""
    names = (
        "order_id",
        "name",
        "rma",
        "original_order",
        "merchandise",
        "tax",
        "misc_charge",
        "misc_label",
        "discount",
        "collected",
        "ar",
        "currency",
    )
    found = ledger.list_orders(connection) if rma is None else ledger.orders_of(connection, rma)
    return [{name: row[name] for name in names} for row in found]


def all_tasks(connection: Connection, rma: str | None = None) -> list[dict[str, Any]]:
    """Everything that needed a person; all, or what belongs to one RMA."""
    names = ("id", "kind", "subject", "rma", "text", "advice", "open", "opened_at", "closed_at", "closed_because")
    found = events.list_tasks(connection) if rma is None else events.tasks_of(connection, rma)
    return [{name: row[name] for name in names} for row in found]


def all_alerts(connection: Connection) -> list[dict[str, Any]]:
    """Alerts."""
    names = ("id", "kind", "subject", "text", "open", "times", "first_at", "last_at")
    return [{name: row[name] for name in names} for row in events.list_alerts(connection)]


def all_runs(connection: Connection) -> list[dict[str, Any]]:
    """Runs of jobs."""
    return [row | {"reasons": json.loads(row["reasons"])} for row in events.list_runs(connection)]


KINDS: dict[str, Callable[[Connection], list[dict[str, Any]]]] = {
    "ras": authorizations,
    "files": all_files,
    "documents": all_documents,
    "receipts": all_receipts,
    "effects": all_effects,
    "refunds": all_refunds,
    "invoices": all_invoices,
    "stock": all_stock,
    "orders": all_orders,
    "tasks": all_tasks,
    "alerts": all_alerts,
    "runs": all_runs,
}


def export(connection: Connection, kind: str | None = None) -> dict[str, Any]:
    """The whole book, or one kind of record."""
    chosen = {kind: KINDS[kind]} if kind else KINDS
    return {"schema": SCHEMA} | {name: read(connection) for name, read in chosen.items()}
