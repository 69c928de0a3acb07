"""Receipts to the one decision of an RMA, and the decision to what is asked of Loop.

The decision and the effects it causes are written in one transaction; what is asked is carried out by `loop_effects`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import Connection

from gateway.clients.loop import LONGEST_NOTE
from gateway.domain import lifecycle, receiving
from gateway.domain.documents import ZERO, Authorization, Return
from gateway.domain.lifecycle import RaState
from gateway.domain.receiving import Standing, Verdict
from gateway.errors import GatewayError
from gateway.jobs import effecting, grading
from gateway.jobs.context import Context, Tally
from gateway.mapping import notes
from gateway.store import database, effects, events, files, received, returns
from gateway.store.returns import HeldAuthorization


def export_return_receipts(ctx: Context, *, rma: str | None = None) -> Tally:
    """Decide every return that is due (R-005): received in full, marked final, or waited for long enough."""
    tally = Tally(scope=rma or "")
    with database.reading(ctx.engine) as connection:
        due = [rma] if rma else [r.document.rma for r in returns.returns_in_state(connection, {RaState.PARTLY_RECEIVED, RaState.RECEIVED})]
    for number in due:
        tally.read += 1
        try:
            said = decide(ctx, number)
        except GatewayError as error:
            tally.fail(number, error)
            continue
        if said.startswith(("process", "flag", "remove")):
            tally.done += 1
        else:
            tally.skip(number, said)
    return tally


def decide(ctx: Context, rma: str) -> str:
    """Bring the receipts of an RMA together and decide it if it is time; returns what was done, or why nothing was."""
    with database.writing(ctx.engine) as connection:
        return decide_within(ctx, connection, rma)


def decide_within(ctx: Context, connection: Connection, rma: str) -> str:
    """Decide in the caller's transaction (a preview rolls it back)."""
    held = returns.load_return(connection, rma)
    if held is None:
        return "not imported"
    every = [(ra, stand(connection, ra)) for ra in returns.authorizations_of(connection, rma)]
    ras = [ra for ra, _ in every if ra.state != RaState.CANCELLED]
    standings = [standing for ra, standing in every if ra.state != RaState.CANCELLED]
    if returns.load_decision(connection, rma):
        return "decided already"
    if held.document.state in ("closed", "cancelled", "expired"):
        return f"{held.document.state} in Loop"
    _show_progress(ctx, connection, ras, standings)
    waited = rma in returns.waited_out(connection, now=ctx.now(), rma=rma)
    documents = [ra.document for ra in ras]
    decision = receiving.decide(held.document, standings, authorizations=documents, policy=ctx.policy, waited_out=waited)
    not_yet = _not_yet(ctx, connection, held.document, ras, decision)
    if not_yet:
        return not_yet
    inputs = _inputs(connection, ras, standings)
    if not returns.save_decision(connection, rma, decision, inputs=inputs, settings_version=ctx.policy.version, at=ctx.now()):
        return "decided already"
    text = f"{decision.verdict.value}: {'; '.join(decision.sentences)} (rule: {decision.rule})"
    events.note(connection, "return.decided", text, at=ctx.now(), rma=rma, facts={"reasons": [str(r) for r in decision.reasons], "inputs": inputs})
    _ask_about_extras(ctx, connection, rma, standings)
    _ask_loop(ctx, connection, held.document, ras, standings)
    return text


def _not_yet(ctx: Context, connection: Connection, rma: Return, ras: Sequence[HeldAuthorization], decision: receiving.Decision) -> str:
    """Why a decision is not made yet: the rest is waited for, a person holds it, or somebody put the return into review in Loop; empty when it is."""
    if decision.verdict == Verdict.WAIT:
        return decision.sentences[0]
    kept = next((ra for ra in ras if ra.hold.startswith("held by ")), None)
    if kept:
        return f"{kept.document.ra} is {kept.hold}"
    if rma.state == "review" and decision.verdict != Verdict.FLAG:
        text = f"RMA {rma.rma} would be processed ({'; '.join(decision.sentences)}), but it is in review in Loop, and not by us"
        advice = "review it in Loop Admin: put back to open it is processed by itself; processed there the gateway follows"
        events.open_task(connection, "in review in Loop", rma.rma, text, at=ctx.now(), rma=rma.rma, advice=advice)
        return "the return is in review in Loop"
    events.close_tasks(connection, kind="in review in Loop", rma=rma.rma, because="decided", at=ctx.now())
    return ""


def stand(connection: Connection, ra: HeldAuthorization) -> Standing:
    """Add up what came for an RA; one that a person closed waits for nothing more."""
    standing = receiving.accumulate(ra.document, [r.document for r in received.receipts_of(connection, ra.document.ra)])
    standing = replace(standing, final=standing.final or ra.state == RaState.CLOSED)
    returns.save_standing(connection, standing)
    return standing


def _show_progress(ctx: Context, connection: Connection, ras: Sequence[HeldAuthorization], standings: Sequence[Standing]) -> None:
    for ra, standing in zip(ras, standings, strict=True):
        if not standing.receipt_nos:
            continue
        wanted = RaState.RECEIVED if standing.missing == 0 else RaState.PARTLY_RECEIVED
        if ra.state != wanted and lifecycle.may(ra.state, wanted):
            first = ra.first_receipt_at or ctx.now()
            until = first + timedelta(seconds=ctx.timing.partial_wait)
            returns.advance(connection, ra.document.ra, wanted, first_receipt_at=first, wait_until=until)
            text = f"{ra.document.ra} {wanted.value}: {standing.received} of {standing.expected} units ({', '.join(standing.receipt_nos)})"
            events.note(connection, f"ra.{wanted.name.lower().replace('_', '-')}", text, at=ctx.now(), rma=ra.document.rma, ra=ra.document.ra)


def _inputs(connection: Connection, ras: Sequence[HeldAuthorization], standings: Sequence[Standing]) -> list[dict[str, object]]:
    """What a decision rests on: RA versions, receipts, files and lines (R-099)."""
    units = {standing.ra: [standing.received, standing.expected] for standing in standings}
    found: list[dict[str, object]] = []
    for ra in ras:
        for receipt in received.receipts_of(connection, ra.document.ra):
            file = files.load(connection, receipt.file_id) if receipt.file_id else None
            found.append(
                {
                    "ra": ra.document.ra,
                    "version": ra.document.version,
                    "receipt": receipt.document.receipt_no,
                    "units": units.get(ra.document.ra, [0, 0]),
                    "missing_value": str(worth_missing(ra.document, standings)),
                    "file_id": receipt.file_id,
                    "file": file.name if file else "",
                    "position": receipt.document.position,
                    "lines": [
                        f"{line.sku or line.stated}: {line.good} good, {line.second} second ({line.position})" for line in receipt.document.lines
                    ],
                }
            )
    return found


def _ask_about_extras(ctx: Context, connection: Connection, rma: str, standings: Sequence[Standing]) -> None:
    """Units that belong to nobody we know are in no stock and on no credit; a person decides what becomes of them (R-096)."""
    over = [f"{line.over} x {line.sku}" for s in standings for line in s.lines if line.over]
    beside = [f"{extra.quantity} x {extra.sku or extra.stated}" for s in standings for extra in s.extras]
    if over or beside:
        text = f"RMA {rma}: owner unknown of {', '.join([*over, *beside])}; not in stock, not credited"
        advice = "ask the warehouse and the shopper; send them back, or take them into stock by a correction"
        events.open_task(connection, "owner unknown", rma, text, at=ctx.now(), rma=rma, advice=advice)


def worth_missing(ra: Authorization, standings: Sequence[Standing]) -> Decimal:
    """What the units of an RA that did not come are worth, tax included."""
    missing = {line.sku: line.missing for standing in standings if standing.ra == ra.ra for line in standing.lines}
    return sum(((line.value + line.tax) * missing.get(line.sku, 0) / line.quantity for line in ra.lines), ZERO).quantize(ZERO)


def _ask_loop(ctx: Context, connection: Connection, rma: Return, ras: Sequence[HeldAuthorization], standings: Sequence[Standing]) -> None:
    decided = returns.load_decision(connection, rma.rma)
    decision: receiving.Decision = decided["decision"] if decided else None  # type: ignore[assignment]
    facts = receipt_facts(connection, ras, standings)
    round_ = str(1 + effects.withdrawn_calls(connection, rma.rma))
    grading.tell_grades(ctx, connection, rma.rma, ras, round_=round_)
    if decision.verdict == Verdict.PROCESS:
        details = {"Warehouse receipt": facts["receipts"], "RA": facts["ra"], "Received on": facts["received_on"]}
        effecting.intend(ctx, connection, "loop.process", rma.rma, round_, {"details": details})
    elif decision.verdict == Verdict.REMOVE:
        effecting.intend(ctx, connection, "loop.remove", rma.rma, round_, {"units": list(decision.remove_units)})
    else:
        told = [*decision.sentences, *decision.candidates]
        note = notes.write(ctx.template("note.flagged.txt.j2"), facts, told, longest=LONGEST_NOTE)
        effecting.intend(ctx, connection, "loop.note", rma.rma, "flagged" if round_ == "1" else f"flagged {round_}", {"content": note})
        effecting.intend(ctx, connection, "loop.flag", rma.rma, round_, {})


def receipt_facts(connection: Connection, ras: Sequence[HeldAuthorization], standings: Sequence[Standing]) -> dict[str, str]:
    """What every note about a receipt names: RA, receipt, warehouse and day."""
    receipts = [r.document for ra in ras for r in received.receipts_of(connection, ra.document.ra)]
    return {
        "ra": notes.numbers([ra.document.ra for ra in ras]),
        "receipts": notes.numbers([r.receipt_no for r in receipts]),
        "warehouse": notes.numbers([s.warehouse for s in standings]),
        "received_on": max((r.received_on.isoformat() for r in receipts), default=""),
    }
