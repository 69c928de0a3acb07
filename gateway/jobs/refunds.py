"""Shopify's refunds into stock and credit invoices.

Refunds are found through the orders they touched and imported in the order in which they were made, each once by its id; one seen again is information,
never an error. A refund waits until it is known which return it belongs to, and behind an earlier one of its order that is held and that it depends on.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.clients.shopify import TouchedOrder
from gateway.domain import crediting, lifecycle, money, refunding
from gateway.domain.documents import Order, Refund
from gateway.domain.lifecycle import RaState
from gateway.domain.refunding import Assessment, Surroundings
from gateway.errors import PermanentError
from gateway.jobs import shopify
from gateway.jobs.context import Context, Tally
from gateway.store import database, events, ledger, returns, workqueue
from gateway.store.returns import HeldReturn

ASKED = frozenset({RaState.PROCESS_REQUESTED, RaState.FLAGGED})
CONFIRMED = frozenset({RaState.PROCESSED, RaState.REFUND_IMPORTED, RaState.CLOSED, RaState.CANCELLED})
ALREADY = "Refund ID Already Exists"
CHANGED = "changed since import"
POSITION = "shopify.refunds.updated_at"
LONGEST_SLICE = timedelta(days=1)


def import_refunds(ctx: Context, *, order: str | None = None, start: datetime | None = None, end: datetime | None = None) -> Tally:
    """Import new refunds: by position, for one order (name or id), or for a range."""
    tally = Tally(scope=order or "")
    if order:
        for touched in shopify.orders_named(ctx, order):
            _take_order(ctx, touched, tally)
        return tally
    until = end or ctx.soon(-ctx.timing.refunds_lag)
    since = start or shopify.since(ctx, POSITION, ctx.timing.refunds_overlap)
    _retry_held(ctx, tally)
    begin = since
    while begin < until:
        shown: list[datetime] = []
        finish = min(begin + LONGEST_SLICE, until) if until - begin < timedelta(days=3) else min(begin + timedelta(days=30), until)
        for page in ctx.shopify.orders_touched(start=begin, end=finish + timedelta(seconds=1)):
            for touched in page:
                _take_order(ctx, touched, tally)
                shown.append(touched.updated_at)
        begin = finish
        if start is None:
            with database.writing(ctx.engine) as connection:
                events.advance_position(connection, POSITION, max(shown, default=None))
    return tally


def _retry_held(ctx: Context, tally: Tally) -> None:
    """Look again at refunds that wait for something (R-022)."""
    with database.reading(ctx.engine) as connection:
        held = ledger.held_refunds(connection)
    for row in held:
        tally.read += 1
        _import_refund(ctx, row["refund_id"], tally)


def _take_order(ctx: Context, touched: TouchedOrder, tally: Tally) -> None:
    for one in touched.refunds:
        tally.read += 1
        with database.reading(ctx.engine) as connection:
            known = ledger.load_refund(connection, one.refund_id)
        if known and known["status"] != "held":
            _seen_again(ctx, known, one.updated_at, tally)
        elif not known:
            _import_refund(ctx, one.refund_id, tally)


def _seen_again(ctx: Context, known: dict[str, Any], updated_at: datetime, tally: Tally) -> None:
    """An imported refund is information; when it changed in Shopify meanwhile, it goes to review and nothing is posted (R-029, R-030).

    A payment that was pending when it was credited is waited for, so its end is no change: the credit's settlement follows it (shopify-api 4.3).
    """
    refund_id = str(known["refund_id"])
    changed = database.instant(updated_at) > str(known["refund_updated_at"])
    if changed and _pending_ended(ctx, known):
        tally.skip(f"refund {refund_id}", f"{ALREADY}; its pending payment has ended")
        return
    message = f"{ALREADY}, {CHANGED}" if changed or CHANGED in str(known["message"]) else ALREADY
    tally.skip(f"refund {refund_id}", message)
    if message == known["message"] and not changed:
        return
    with database.writing(ctx.engine) as connection:
        ledger.set_refund_message(connection, refund_id, message, updated_at=updated_at, at=ctx.now())
        if changed:
            text = f"Refund {refund_id} of order {known['order_name']} changed in Shopify after it was imported; nothing was posted for the change"
            events.open_task(connection, "refund changed", refund_id, text, at=ctx.now(), advice="compare it in Shopify with its credit invoice")


def _pending_ended(ctx: Context, known: dict[str, Any]) -> bool:
    """Whether nothing but pending payments of an imported refund changed; then its credit's settlement is moved."""
    before, number = ledger.refund_document(known), str(known["refund_id"])
    if not any(t.status == "PENDING" for t in before.transactions):
        return False
    now = ctx.shopify.refund(number)
    with database.writing(ctx.engine) as connection:
        mine = ledger.open_credits(connection, order_id=before.order_id, currency=before.currency)
        pending = [c for c in mine if c.kind == crediting.PENDING and c.invoice == ledger.number_of(number)]
        moves = crediting.outcome_of_pending(before, now, pending, ctx.policy)
        for move in moves:
            ledger.move_settlement(connection, move, refund=now, rma=known["rma"], at=ctx.now())
            if move.to_kind == crediting.UNEXPLAINED:
                text = f"Refund {number}: the payment of {money.text(move.amount, now.currency)} {now.currency} through {move.detail} failed"
                events.open_task(
                    connection, "refund needs a look", f"{number} payment", text, at=ctx.now(), rma=known["rma"], advice="pay it again in Shopify"
                )
        if moves:
            paid = money.total(move.amount for move in moves if move.to_kind == crediting.CASH)
            ledger.paid_since(connection, now, paid, at=ctx.now())
    return bool(moves)


def _import_refund(ctx: Context, refund_id: str, tally: Tally) -> None:
    try:
        refund = ctx.shopify.refund(refund_id)
        order = ctx.shopify.order(refund.order_id)
        waits = _waits_for_loop(ctx, refund)
    except PermanentError as error:
        tally.fail(f"refund {refund_id}", error)
        _tell_unreadable(ctx, refund_id, error)
        return
    with database.writing(ctx.engine) as connection:
        known = ledger.load_refund(connection, refund_id)
        if known and known["status"] != "held":
            return
        ahead = "" if waits else ledger.waits_behind(connection, refund)
        waits = waits or (f"waiting for refund {ahead} of the same order, which is held" if ahead else "")
        if waits:
            ledger.save_refund(connection, refund, Assessment(lines=()), status="held", message=f"held: {waits}", rma=None, at=ctx.now())
            tally.skip(f"refund {refund_id}", waits)
            return
        rma = _find_return(connection, refund)
        assessment = refunding.assess(refund, _surroundings(ctx, connection, refund, order, rma))
        _post(ctx, connection, refund, assessment, rma, tally)


def _waits_for_loop(ctx: Context, refund: Refund) -> str:
    """Why a refund must wait until Loop has told which return it belongs to; empty when it need not.

    Shopify shows a refund before Loop shows its return as closed. Imported then, it would be taken for one without a return, and go to the wrong stock.
    """
    with database.reading(ctx.engine) as connection:
        candidates = [r.document for r in returns.returns_of_order(connection, refund.order_id)]
        states = {r.rma: {ra.state for ra in returns.authorizations_of(connection, r.rma)} for r in candidates}
    if not refund.lines or any(refund.refund_id in r.refund_ids for r in candidates):
        return ""
    ordered = {line.order_line_id for line in refund.lines}
    for rma in candidates:
        confirmed = rma.state == "closed" and states[rma.rma] <= CONFIRMED
        if confirmed or rma.state == "cancelled" or not ordered <= {u.order_line_id for u in rma.units}:
            continue
        found = ctx.loop.return_details(rma.rma)
        young = ctx.now() - refund.updated_at < timedelta(seconds=ctx.timing.doubt_settle)
        if found.state == "closed" or (states[rma.rma] & ASKED and young):
            with database.writing(ctx.engine) as connection:
                workqueue.enqueue(connection, "confirm", rma.rma, due_at=ctx.now())
            return f"waiting for Loop to confirm that RMA {rma.rma} is closed"
    return ""


def _tell_unreadable(ctx: Context, refund_id: str, error: PermanentError) -> None:
    """A refund that cannot be read stays on the work list: the import moves on and would not come back to it."""
    with database.writing(ctx.engine) as connection:
        text = f"Refund {refund_id} was not imported: {error.message}"
        advice = "when the cause is gone, `gateway job ShopifyImportRefunds --order NAME` imports it"
        events.open_task(connection, "unreadable refund", refund_id, text, at=ctx.now(), advice=advice)


def _find_return(connection: Connection, refund: Refund) -> HeldReturn | None:
    """The return a refund belongs to: the one Loop names it for; else the closed one of the order whose units it credits (R-048).

    Several fit when Loop names no refund, as for exchanges: then it is the one that closed nearest to the refund, since closing makes it.
    """
    candidates = returns.returns_of_order(connection, refund.order_id)
    named = [r for r in candidates if refund.refund_id in r.document.refund_ids]
    if named:
        return named[0]
    ordered = {line.order_line_id for line in refund.lines}
    fitting = [
        r
        for r in candidates
        if ordered and not r.document.refund_ids and ordered <= {u.order_line_id for u in r.document.units} and r.document.state == "closed"
    ]
    unused = [r for r in fitting if not ledger.imported_for(connection, r.document.rma)]
    return min(unused, key=lambda r: abs(r.document.updated_at - refund.created_at), default=None)


def _surroundings(ctx: Context, connection: Connection, refund: Refund, order: Order, rma: HeldReturn | None) -> Surroundings:
    owner = rma.document.rma if rma else ledger.return_behind(connection, refund.order_id)
    around = Surroundings(
        shipped=order.shipped,
        credited=ledger.credited_units(connection, refund.order_id, besides=refund.refund_id),
        warehouses=ctx.places.warehouses,
        disposed=ledger.disposed_units(connection, refund.order_id, refund.return_id, besides=refund.refund_id) if refund.return_id else {},
        open_credits=ledger.open_credits(connection, order_id=refund.order_id, rma=owner, currency=refund.currency),
        is_exchange_order=rma is None and bool(owner),
        shipping_paid=order.shipping,
        shipping_credited=ledger.shipping_credited(connection, refund.order_id, currency=refund.currency),
        default_warehouse=ctx.default_warehouse,
        bundles=ctx.places.catalogue.bundles,
        policy=ctx.policy,
    )
    if rma is None:
        return around
    return replace(
        around,
        rma=rma.document,
        named=refund.refund_id in rma.document.refund_ids,
        settled=ledger.settled_for(connection, rma.document.rma),
        **_received(ctx, connection, rma.document.rma),
    )


def _received(ctx: Context, connection: Connection, rma: str) -> dict[str, Any]:
    """What each RA received, by SKU, less what is in stock of it already."""
    come = [
        (ra.document.warehouse, line["sku"], line["good"], line["second"])
        for ra in returns.authorizations_of(connection, rma)
        for line in returns.lines_of(connection, ra.document.ra)
    ]
    found = refunding.not_in_stock(come, posted=ledger.posted_at(connection, rma), warehouses=ctx.places.warehouses)
    return {"received": found, "has_received": any(good + second for _, _, good, second in come)}


def _post(ctx: Context, connection: Connection, refund: Refund, assessment: Assessment, rma: HeldReturn | None, tally: Tally) -> None:
    """Write everything a refund comes to in one transaction: its row is the guard against a second time."""
    number = rma.document.rma if rma else ledger.return_behind(connection, refund.order_id) or None
    if assessment.held or assessment.skipped:
        _post_nothing(ctx, connection, refund, assessment, number, tally)
        return
    skipped = [line.reason for line in assessment.lines if line.reason]
    message = "; ".join([*skipped, *assessment.remarks])
    ledger.save_refund(connection, refund, assessment, status="imported", message=message, rma=number, at=ctx.now())
    for kind in ("held refund", "unreadable refund"):
        events.close_tasks(connection, kind=kind, subject=refund.refund_id, because="imported", at=ctx.now())
    events.note(connection, "refund.imported", f"Refund {refund.refund_id} imported" + (f": {message}" if message else ""), at=ctx.now(), rma=number)
    _post_stock(ctx, connection, refund, assessment, number)
    if assessment.credit is not None:
        ledger.add_invoice(connection, refund=refund, credit=assessment.credit, rma=number, at=ctx.now())
    for move in assessment.moves:
        ledger.move_settlement(connection, move, refund=refund, rma=number, at=ctx.now())
    for place, text in enumerate(assessment.tasks):
        events.open_task(connection, "refund needs a look", f"{refund.refund_id} {place}", text, at=ctx.now(), rma=number)
    tally.done += 1
    for text in skipped:
        tally.skip(f"refund {refund.refund_id}", text)
    if number:
        _close_ras(connection, number)


def _post_nothing(ctx: Context, connection: Connection, refund: Refund, assessment: Assessment, rma: str | None, tally: Tally) -> None:
    """Write down why a refund is held, or that there is nothing in it to import."""
    if assessment.held:
        message = f"held: {assessment.held}"
        ledger.save_refund(connection, refund, assessment, status="held", message=message, rma=rma, at=ctx.now())
        events.open_task(connection, "held refund", refund.refund_id, f"Refund {refund.refund_id}: {message}", at=ctx.now(), rma=rma)
    else:
        value = money.total(line.skipped_value for line in assessment.lines)
        message = f"skipped: {assessment.skipped}, {money.text(value, refund.currency)} not imported"
        ledger.save_refund(connection, refund, assessment, status="skipped", message=message, rma=rma, at=ctx.now())
        events.close_tasks(connection, kind="held refund", subject=refund.refund_id, because=message, at=ctx.now())
        events.note(connection, "refund.skipped", f"Refund {refund.refund_id} {message}", at=ctx.now(), rma=rma, actor="Shopify")
    tally.skip(f"refund {refund.refund_id}", message)


def _post_stock(ctx: Context, connection: Connection, refund: Refund, assessment: Assessment, rma: str | None) -> None:
    for posting in assessment.postings:
        text = f"Stock: {posting.quantity} x {posting.sku} into {posting.warehouse}" + (f" ({posting.remark})" if posting.remark else "")
        ledger.post(
            connection,
            text,
            at=ctx.now(),
            warehouse=posting.warehouse,
            sku=posting.sku,
            quantity=posting.quantity,
            cause="refund",
            reference=f"refund {refund.refund_id} line {posting.line_key}",
            remark=posting.remark,
            rma=rma,
        )


def _close_ras(connection: Connection, rma: str) -> None:
    """With its refund imported an RA is closed once every unit is accounted for (R-025)."""
    for ra in returns.authorizations_of(connection, rma):
        if lifecycle.may(ra.state, RaState.REFUND_IMPORTED):
            returns.advance(connection, ra.document.ra, RaState.REFUND_IMPORTED)
            lines = returns.lines_of(connection, ra.document.ra)
            if all(line["expected"] == line["good"] + line["second"] + line["not_returned"] for line in lines):
                returns.advance(connection, ra.document.ra, RaState.CLOSED)
