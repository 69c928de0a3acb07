"""The story of a return, a file, or anything with a name: find, explain, trace."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain.receiving import Decision
from gateway.errors import PermanentError
from gateway.store import effects, events, files, ledger, received, returns, searching
from gateway.store.files import File
from gateway.store.returns import HeldReturn
from gateway.views import lineage, records


class NothingFoundError(PermanentError):
    """Nothing in the book has this name or number."""


def find(connection: Connection, text: str) -> list[dict[str, str]]:
    """Whatever an identifier names, exact matches first: RMA, RA, order, refund, tracking number, SKU, UPC, receipt, file, control number."""
    return searching.find(connection, text.strip())


def rma_of(connection: Connection, text: str) -> str:
    """The RMA that any identifier leads to; the text itself when it leads to none."""
    for hit in find(connection, text):
        if "rma" in hit:
            return hit["rma"]
        held = returns.load_authorization(connection, hit["ra"]) if hit.get("ra") else None
        if held is not None:
            return held.document.rma
    return text.strip()


def story(connection: Connection, rma: str) -> dict[str, Any]:
    """A return with its RAs, receipts, decision, money, stock, effects and timeline."""
    held = returns.load_return(connection, rma)
    if held is None:
        raise NothingFoundError(f"RMA {rma} is not in the book; `gateway job LoopImportReturnAuthorizations --rma {rma}` imports it")
    decided = returns.load_decision(connection, rma)
    return {
        "rma": rma,
        "order": held.document.order_name,
        "loop_state": held.document.state,
        "hold": held.hold or held.none_because,
        "exchange": held.exchange_state,
        "waits_for": waits_for(connection, held),
        "ras": records.authorizations(connection, rma),
        "receipts": records.all_receipts(connection, rma),
        "decision": plain_decision(decided) if decided else None,
        "refunds": records.all_refunds(connection, rma),
        "invoices": records.all_invoices(connection, rma),
        "orders": records.all_orders(connection, rma),
        "stock": ledger.movements_of(connection, rma),
        "effects": records.all_effects(connection, rma),
        "tasks": [row for row in records.all_tasks(connection, rma) if row["open"]],
        "timeline": timeline(connection, rma),
    }


def story_if_known(connection: Connection, rma: str) -> dict[str, Any]:
    """The story of a return; empty when it is not in the book."""
    return story(connection, rma) if returns.load_return(connection, rma) else {}


def plain_decision(decided: dict[str, Any]) -> dict[str, Any]:
    """A decision with its rule, inputs and settings version."""
    decision: Decision = decided["decision"]
    return {
        "verdict": decision.verdict.value,
        "rule": decision.rule,
        "reasons": [str(reason) for reason in decision.reasons],
        "sentences": list(decision.sentences),
        "candidates": list(decision.candidates),
        "inputs": decided["inputs"],
        "settings_version": decided["settings_version"],
        "decided_at": decided["decided_at"],
        "confirmed_at": decided["confirmed_at"],
    }


def timeline(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """Every event of a return, in order of time."""
    found = events.of_return(connection, rma)
    return sorted(
        ({"at": e["at"], "word": e["word"], "actor": e["actor"], "text": e["text"], "file_id": e["file_id"], "ra": e["ra"]} for e in found),
        key=lambda e: e["at"],
    )


def waits_for(connection: Connection, held: HeldReturn) -> str:
    """What the next step waits for, in words."""
    if held.hold:
        return held.hold
    if held.exchange_state == "waiting for exchange order":
        return held.exchange_state
    doubtful = [e for e in effects.of_target(connection, held.document.rma) if e.state.value in ("in_doubt", "intended")]
    if doubtful:
        return f"the outcome of {doubtful[0].kind} ({doubtful[0].state.value.replace('_', ' ')}: {doubtful[0].cause or 'not sent yet'})"
    states = {ra.state.value for ra in returns.authorizations_of(connection, held.document.rma)}
    words = {
        "imported": "the document to the partner",
        "queued": "the partner's folder",
        "sent": "the partner's acknowledgement and receipt",
        "acknowledged": "the partner's receipt",
        "partly received": "the rest of the goods, a final mark, or the end of the partial wait",
        "received in full": "the decision",
        "process requested": "Loop to close the return",
        "flagged": "a person to review it in Loop Admin",
        "processed": "the refund in Shopify",
    }
    return next((words[state] for state in words if state in states), "")


def explain(connection: Connection, rma: str) -> list[str]:
    """Why a return stands where it stands, in sentences with rule, numbers and places (R-180)."""
    if returns.load_return(connection, rma) is None and (skipped := skips_of(connection, rma)):
        return [f"RMA {rma} is not in the book.", *skipped]
    found = story(connection, rma)
    said = [f"RMA {rma} (order {found['order']}) is {found['loop_state']} in Loop."]
    said += [
        f"{ra['ra']} for {ra['warehouse']} ({ra['partner']}) is {ra['state']}" + (f": {ra['hold']}." if ra["hold"] else ".") for ra in found["ras"]
    ]
    if found["hold"]:
        said.append(f"It is held or has nothing to send: {found['hold']}.")
    if found["decision"]:
        said += explain_decision(connection, rma, found["decision"])
    said += [f"Call {call}." for call in lineage.calls(connection, rma)]
    said += [explain_refund(refund) for refund in found["refunds"]]
    said += [f"Exchange order {o['name']}: A/R {o['ar']} {o['currency']}." for o in found["orders"]]
    if found["exchange"].startswith("exchange kept inside"):
        said.append(f"There is no separate exchange order: {found['exchange']}, so none is expected and none is booked.")
    said += [f"Needs a person: {t['text']}." + (f" To do: {t['advice']}." if t["advice"] else "") for t in found["tasks"]]
    if found["waits_for"]:
        said.append(f"It waits for {found['waits_for']}.")
    return said


def skips_of(connection: Connection, rma: str) -> list[str]:
    """Why the last runs of jobs passed over something, in sentences."""
    found: dict[str, str] = {}
    for run in events.last_runs(connection, naming=rma):
        reasons = [reason for reason in json.loads(run["reasons"]) if reason.startswith(f"{rma}: ")]
        found |= {
            reason: f"{run['job']} passed it over at {run['started_at'][:19].replace('T', ' ')} UTC: {reason[len(rma) + 2 :]}." for reason in reasons
        }
    return list(found.values())


def explain_refund(refund: dict[str, Any]) -> str:
    """A refund in a sentence."""
    return f"Refund {refund['refund_id']}: {refund['status']}, credit {refund['credit']} {refund['currency']}, cash {refund['cash']}" + (
        f" ({refund['reason']})." if refund["reason"] else "."
    )


def explain_decision(connection: Connection, rma: str, decision: dict[str, Any]) -> list[str]:
    """The decision in sentences: what came, from which file and line, and the rule."""
    words = {"process": "processed", "flag": "flagged", "remove": "processed without the missing units"}
    said = [f"Receipt {s['receipt']} (file {s['file']}, {s['position']}) says: {'; '.join(s['lines'])}." for s in decision["inputs"]]
    received, expected = units_then(connection, rma, decision)
    why = "; ".join(decision["sentences"]).rstrip(".")
    said.append(
        f'It was {words[decision["verdict"]]} under the rule "{decision["rule"]}", because {received} of {expected} units came: {why}'
        f"{missing_value(decision)} (settings {decision['settings_version']})."
    )
    said += [f"Which unit is missing is not known: {candidate}." for candidate in decision["candidates"]]
    return said


def units_then(connection: Connection, rma: str, decision: dict[str, Any]) -> tuple[int, int]:
    """How many units had come, of how many, when it was decided; what comes later does not change why."""
    kept = {s["ra"]: s["units"] for s in decision["inputs"] if "units" in s}
    lines = {ra.document.ra: returns.lines_of(connection, ra.document.ra) for ra in returns.authorizations_of(connection, rma)}
    now = {ra: [sum(line["good"] + line["second"] for line in rows), sum(line["expected"] for line in rows)] for ra, rows in lines.items()}
    both = now | kept
    return sum(units[0] for units in both.values()), sum(units[1] for units in both.values())


def missing_value(decision: dict[str, Any]) -> str:
    """What the missing units were worth when it was decided, when any were missing."""
    by_ra = {s["ra"]: Decimal(s["missing_value"]) for s in decision["inputs"] if "missing_value" in s}
    total = sum(by_ra.values(), Decimal(0))
    return f", value {total:.2f}" if total else ""


def trace(connection: Connection, name: str) -> list[dict[str, Any]]:
    """Everything about a file, by its name, number or hash."""
    found = [trace_file(connection, file) for file in searching.files_named(connection, name)]
    if not found:
        raise NothingFoundError(f"no file is called {name!r}; `gateway find` looks for other identifiers")
    return found


def trace_file(connection: Connection, file: File) -> dict[str, Any]:
    """One file with its documents, receipts and events."""
    names = ("id", "name", "direction", "partner", "state", "outcome", "reason", "size", "sha256", "control", "place", "side_text")
    columns = ("document", "group_control", "set_control", "ra", "version", "validation", "acknowledgement", "reason")
    return {name: getattr(file, name) for name in names} | {
        "documents": [{column: row[column] for column in columns} for row in files.documents_in(connection, file.id)],
        "receipts": [f"{held.document.receipt_no} → {held.ra or held.reason} ({held.state})" for held in received.receipts_in(connection, file.id)],
        "lineage": lineage.of_file(connection, file.id),
        "events": [{"at": e["at"], "text": e["text"]} for e in events.of_file(connection, file.id)],
    }
