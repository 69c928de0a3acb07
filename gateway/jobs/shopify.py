"""Shopify's side: refunds into stock and credit, exchange orders, inventory out.

Refunds are found through the orders they touched, each imported once by its id; a refund seen again is information, never an error. Inventory goes out as
absolute quantities of what changed since the last export, and only over a quantity we expected to find.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.clients.session import Outcome
from gateway.clients.shopify import Level, TouchedOrder
from gateway.domain import lifecycle, ordering, refunding
from gateway.domain.documents import ZERO, Order, Refund, Return
from gateway.domain.lifecycle import RaState
from gateway.domain.refunding import Assessment, Surroundings
from gateway.errors import PermanentError
from gateway.jobs import effecting
from gateway.jobs.context import Context, Tally
from gateway.jobs.effecting import Effect, EffectState, Look, Sight, Way
from gateway.store import database, effects, events, ledger, returns, workqueue
from gateway.store.returns import HeldReturn

ASKED = frozenset({RaState.PROCESS_REQUESTED, RaState.FLAGGED})
CONFIRMED = frozenset({RaState.PROCESSED, RaState.REFUND_IMPORTED, RaState.CLOSED, RaState.CANCELLED})
ALREADY = "Refund ID Already Exists"
CHANGED = "changed since import"
POSITION = "shopify.refunds.updated_at"
ORDERS_POSITION = "shopify.orders.updated_at"
LONGEST_SLICE = timedelta(days=1)
KEY_SPACE = uuid.UUID("6f1f3a52-6a0e-5c7e-9d0b-2f1c3b7f9a10")


def import_refunds(ctx: Context, *, order: str | None = None, start: datetime | None = None, end: datetime | None = None) -> Tally:
    """Import new refunds: by position, for one order (name or id), or for a range."""
    tally = Tally(scope=order or "")
    if order:
        for touched in _orders_named(ctx, order):
            _take_order(ctx, touched, tally)
        return tally
    until = end or ctx.soon(-ctx.timing.refunds_lag)
    since = start or _since(ctx, POSITION, ctx.timing.refunds_overlap)
    _retry_held(ctx, tally)
    begin = since
    while begin < until:
        finish = min(begin + LONGEST_SLICE, until) if until - begin < timedelta(days=3) else min(begin + timedelta(days=30), until)
        for page in ctx.shopify.orders_touched(start=begin, end=finish + timedelta(seconds=1)):
            for touched in page:
                _take_order(ctx, touched, tally)
        begin = finish
        if start is None:
            with database.writing(ctx.engine) as connection:
                events.set_position(connection, POSITION, database.instant(finish))
    return tally


def _since(ctx: Context, position: str, overlap: float) -> datetime:
    with database.reading(ctx.engine) as connection:
        stored = events.position(connection, position)
    return database.moment(stored) - timedelta(seconds=overlap) if stored else ctx.import_from


def _orders_named(ctx: Context, order: str) -> list[TouchedOrder]:
    plain = order.lstrip("#")
    found = [o for o in ctx.shopify.find_orders(f"name:'{plain}'") if o.name.lstrip("#") == plain or o.order_id == plain]
    if not found and plain.isdigit():
        found = [o for o in ctx.shopify.find_orders(f"id:{plain}") if o.order_id == plain]
    return found


def _retry_held(ctx: Context, tally: Tally) -> None:
    """Look again at refunds that wait for something (R-022)."""
    with database.reading(ctx.engine) as connection:
        held = ledger.held_refunds(connection)
    for row in held:
        tally.read += 1
        _import_refund(ctx, row["refund_id"], tally)


def _take_order(ctx: Context, touched: TouchedOrder, tally: Tally) -> None:
    for refund_id, updated_at in touched.refunds:
        tally.read += 1
        with database.reading(ctx.engine) as connection:
            known = ledger.load_refund(connection, refund_id)
        if known and known["status"] != "held":
            _seen_again(ctx, known, updated_at, tally)
        elif not known:
            _import_refund(ctx, refund_id, tally)


def _seen_again(ctx: Context, known: dict[str, object], updated_at: datetime, tally: Tally) -> None:
    """An imported refund is information; when it changed in Shopify meanwhile, it goes to review and nothing is posted (R-029, R-030)."""
    refund_id = str(known["refund_id"])
    changed = database.instant(updated_at) > str(known["refund_updated_at"])
    message = f"{ALREADY}, {CHANGED}" if changed or CHANGED in str(known["message"]) else ALREADY
    tally.skip(f"refund {refund_id}", message)
    if message == known["message"] and not changed:
        return
    with database.writing(ctx.engine) as connection:
        ledger.set_refund_message(connection, refund_id, message, updated_at=updated_at, at=ctx.now())
        if changed:
            text = f"Refund {refund_id} of order {known['order_name']} changed in Shopify after it was imported; nothing was posted for the change"
            events.open_task(connection, "refund changed", refund_id, text, at=ctx.now(), advice="compare it in Shopify with its credit invoice")


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
        if waits:
            ledger.save_refund(connection, refund, Assessment(lines=()), status="held", message=f"held: {waits}", rma=None, at=ctx.now())
            tally.skip(f"refund {refund_id}", waits)
            return
        rma = _find_return(connection, refund)
        around = _surroundings(ctx, connection, refund, order, rma)
        assessment = refunding.assess(refund, around)
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
    around = Surroundings(
        shipped=order.shipped,
        credited=ledger.credited_units(connection, refund.order_id, besides=refund.refund_id),
        warehouses=ctx.places.warehouses,
        open_exchange_credit=ledger.open_exchange_credit(connection, refund.order_id),
        default_warehouse=ctx.default_warehouse,
    )
    if rma is None:
        return around
    warehouse_of: dict[str, str] = {}
    good: dict[str, int] = {}
    second: dict[str, int] = {}
    for ra in returns.authorizations_of(connection, rma.document.rma):
        for line in returns.lines_of(connection, ra.document.ra):
            sku = line["sku"]
            warehouse_of[sku] = ra.document.warehouse
            good[sku] = good.get(sku, 0) + line["good"]
            second[sku] = second.get(sku, 0) + line["second"]
    return replace(
        around,
        rma=rma.document,
        received=any(good.values()) or any(second.values()),
        warehouse_of=warehouse_of,
        received_good=good,
        received_second=second,
        posted=ledger.posted_for(connection, rma.document.rma),
    )


def _post(ctx: Context, connection: Connection, refund: Refund, assessment: Assessment, rma: HeldReturn | None, tally: Tally) -> None:
    """Write everything a refund comes to in one transaction: its row is the guard against a second time."""
    number = rma.document.rma if rma else None
    if assessment.held:
        message = f"held: {assessment.held}"
        ledger.save_refund(connection, refund, assessment, status="held", message=message, rma=number, at=ctx.now())
        events.open_task(connection, "held refund", refund.refund_id, f"Refund {refund.refund_id}: {message}", at=ctx.now(), rma=number)
        tally.skip(f"refund {refund.refund_id}", message)
        return
    if assessment.skipped:
        value = sum((line.skipped_value for line in assessment.lines), ZERO)
        message = f"skipped: {assessment.skipped}, {value:.2f} not imported"
        ledger.save_refund(connection, refund, assessment, status="skipped", message=message, rma=number, at=ctx.now())
        events.note(connection, "refund.skipped", f"Refund {refund.refund_id} {message}", at=ctx.now(), rma=number, actor="Shopify")
        tally.skip(f"refund {refund.refund_id}", message)
        return
    skipped = [line.reason for line in assessment.lines if line.reason]
    message = "; ".join([*skipped, *assessment.remarks])
    ledger.save_refund(connection, refund, assessment, status="imported", message=message, rma=number, at=ctx.now())
    for kind in ("held refund", "unreadable refund"):
        events.close_tasks(connection, kind=kind, subject=refund.refund_id, because="imported", at=ctx.now())
    events.note(connection, "refund.imported", f"Refund {refund.refund_id} imported" + (f": {message}" if message else ""), at=ctx.now(), rma=number)
    _post_stock(ctx, connection, refund, assessment, number)
    if assessment.credit is not None:
        invoice = ledger.add_invoice(connection, refund=refund, credit=assessment.credit, rma=number, at=ctx.now())
        ways = ", ".join(f"{s.kind} {s.amount:.2f}" for s in assessment.credit.settlements)
        text = f"Credit invoice {invoice}: {assessment.credit.total:.2f} {refund.currency} ({ways or 'nothing paid'})"
        events.note(connection, "invoice.made", text, at=ctx.now(), rma=number)
    for place, text in enumerate(assessment.tasks):
        events.open_task(connection, "refund needs a look", f"{refund.refund_id} {place}", text, at=ctx.now(), rma=number)
    tally.done += 1
    for text in skipped:
        tally.skip(f"refund {refund.refund_id}", text)
    if number:
        _close_ras(connection, number)


def _post_stock(ctx: Context, connection: Connection, refund: Refund, assessment: Assessment, rma: str | None) -> None:
    for posting in assessment.postings:
        ledger.post(
            connection,
            at=ctx.now(),
            warehouse=posting.warehouse,
            sku=posting.sku,
            quantity=posting.quantity,
            cause="refund",
            reference=f"refund {refund.refund_id} line {posting.line_key}",
            remark=posting.remark,
            rma=rma,
        )
        text = f"Stock: {posting.quantity} x {posting.sku} into {posting.warehouse}" + (f" ({posting.remark})" if posting.remark else "")
        events.note(connection, "stock.posted", text, at=ctx.now(), rma=rma)


def _close_ras(connection: Connection, rma: str) -> None:
    """With its refund imported an RA is closed once every unit is accounted for (R-025)."""
    for ra in returns.authorizations_of(connection, rma):
        if lifecycle.may(ra.state, RaState.REFUND_IMPORTED):
            returns.advance(connection, ra.document.ra, RaState.REFUND_IMPORTED)
            lines = returns.lines_of(connection, ra.document.ra)
            if all(line["expected"] == line["good"] + line["second"] + line["not_returned"] for line in lines):
                returns.advance(connection, ra.document.ra, RaState.CLOSED)


def import_orders(ctx: Context, *, order: str | None = None, start: datetime | None = None, end: datetime | None = None) -> Tally:
    """Import exchange orders: those that closed returns name, and those that look like one (R-012, R-121)."""
    tally = Tally(scope=order or "")
    with database.reading(ctx.engine) as connection:
        waiting = returns.waiting_for_exchange(connection)
    for held in waiting:
        tally.read += 1
        _import_linked(ctx, held, tally)
    if order:
        for touched in _orders_named(ctx, order):
            _take_candidate(ctx, touched, tally)
    else:
        _scan_orders(ctx, tally, start=start, end=end)
    return tally


def _import_linked(ctx: Context, held: HeldReturn, tally: Tally) -> None:
    rma = held.document
    if ordering.kept_inside(rma):
        with database.writing(ctx.engine) as connection:
            returns.set_exchange_state(connection, rma.rma, f"exchange kept inside the original order {rma.order_name}")
        tally.skip(rma.rma, "exchange kept inside the original order")
        return
    names = [e.order_id or e.order_name for e in rma.exchanges if e.order_id or e.order_name]
    if not names:
        _look_again(ctx, held, tally)
        return
    for name in dict.fromkeys(names):
        try:
            order_id = name if str(name).isdigit() else next((o.order_id for o in _orders_named(ctx, str(name))), "")
            if not order_id:
                tally.skip(rma.rma, f"exchange order {name} is not in Shopify yet")
                continue
            _book(ctx, ctx.shopify.order(str(order_id)), rma, tally, linked=True)
        except PermanentError as error:
            tally.fail(f"{rma.rma} {name}", error)


def _look_again(ctx: Context, held: HeldReturn, tally: Tally) -> None:
    """Loop names no exchange order yet: ask it again; alert when it takes too long (A-012)."""
    rma = held.document
    found = ctx.loop.return_details(rma.rma)
    if found.exchanges and any(e.order_id or e.order_name for e in found.exchanges):
        with database.writing(ctx.engine) as connection:
            returns.save_return(connection, replace(rma, exchanges=found.exchanges), at=ctx.now())
        _import_linked(ctx, replace(held, document=replace(rma, exchanges=found.exchanges)), tally)
        return
    tally.skip(rma.rma, "waiting for exchange order")
    with database.writing(ctx.engine) as connection:
        since = _exchange_asked_at(connection, held)
        if since and ctx.now() - since > timedelta(seconds=ctx.timing.exchange_alert):
            text = f"RMA {rma.rma} was processed {since:%Y-%m-%d %H:%M} UTC, but its exchange order has not appeared in Shopify"
            events.raise_alert(connection, "exchange order missing", rma.rma, text, at=ctx.now())


def _exchange_asked_at(connection: Connection, held: HeldReturn) -> datetime | None:
    """Since when an exchange order is waited for: Loop's acceptance of our call, or the closing of a return that a person processed."""
    asked = [e.sent_at for e in effects.of_target(connection, held.document.rma) if e.kind == "loop.process"]
    return next((at for at in asked if at), held.closed_at)


def _scan_orders(ctx: Context, tally: Tally, *, start: datetime | None, end: datetime | None) -> None:
    until = end or ctx.soon(-ctx.timing.refunds_lag)
    since = start or _since(ctx, ORDERS_POSITION, ctx.timing.refunds_overlap)
    if since >= until:
        return
    for page in ctx.shopify.orders_touched(start=since, end=until + timedelta(seconds=1)):
        for touched in page:
            if touched.name.lstrip("#").upper().startswith(ctx.policy.exchange_prefix.upper()):
                _take_candidate(ctx, touched, tally)
    if start is None:
        with database.writing(ctx.engine) as connection:
            events.set_position(connection, ORDERS_POSITION, database.instant(until))


def _take_candidate(ctx: Context, touched: TouchedOrder, tally: Tally) -> None:
    """An order that looks like an exchange order, but that no waiting return names."""
    with database.reading(ctx.engine) as connection:
        if ledger.has_order(connection, touched.order_id):
            tally.skip(touched.name, "imported before")
            return
    tally.read += 1
    order = ctx.shopify.order(touched.order_id)
    with database.reading(ctx.engine) as connection:
        owner = _owner(connection, order)
    if owner is None:
        with database.writing(ctx.engine) as connection:
            text = f"Order {order.name} looks like a Loop exchange order, but no return names it"
            events.open_task(connection, "exchange order without return", order.order_id, text, at=ctx.now(), advice="find its return in Loop Admin")
        tally.skip(order.name, "no return names it")
        return
    _book(ctx, order, owner, tally, linked=False)


def _owner(connection: Connection, order: Order) -> Return | None:
    """The return an exchange order belongs to, by the original order's number in its tags (shopify-api section 5)."""
    tags = {tag.lstrip("#") for tag in order.tags}
    fitting = [r.document for r in returns.waiting_for_exchange(connection) if r.document.order_name.lstrip("#") in tags]
    return fitting[0] if len(fitting) == 1 else None


def _book(ctx: Context, order: Order, rma: Return, tally: Tally, *, linked: bool) -> None:
    matched_by = ordering.matching_rule(order, policy=ctx.policy, linked=linked) or "its tag names the original order"
    booked = ordering.book(order, rma=rma)
    with database.writing(ctx.engine) as connection:
        returns.set_exchange_state(connection, rma.rma, f"exchange order {order.name} imported")
        events.resolve_alert(connection, "exchange order missing", rma.rma, at=ctx.now())
        if not ledger.add_order(connection, booked, matched_by=matched_by, at=ctx.now()):
            tally.skip(order.name, "imported before")
            return
        offset = f"discount {booked.discount:.2f}" if booked.discount else f"miscellaneous charge {booked.misc_charge:.2f}"
        text = f"Exchange order {order.name} imported: merchandise {booked.merchandise:.2f}, tax {booked.tax:.2f}, {offset}, A/R {booked.ar:.2f}"
        events.note(connection, "order.imported", text, at=ctx.now(), rma=rma.rma, facts={"matched_by": matched_by})
        if booked.ar:
            events.open_task(connection, "A/R not zero", order.order_id, f"{order.name}: A/R is {booked.ar:.2f}", at=ctx.now(), rma=rma.rma)
    tally.done += 1


def export_inventory(ctx: Context) -> Tally:
    """Tell Shopify the absolute quantities that changed since the last export; first-quality warehouses only (R-008, R-119)."""
    tally = Tally()
    sellable = {w.code: w for w in ctx.places.warehouses.values() if w.sellable and w.shopify_location}
    with database.reading(ctx.engine) as connection:
        until = ledger.last_entry(connection)
        changed = ledger.changed_since_export(connection, list(sellable), up_to=until)
    for code, warehouse in sellable.items():
        mine = [row for row in changed if row["warehouse"] == code]
        tally.read += len(mine)
        for start in range(0, len(mine), 25):
            _export_some(ctx, code, warehouse.shopify_location or "", mine[start : start + 25], tally)
    return tally


def _export_some(ctx: Context, code: str, location: str, rows: list[dict[str, object]], tally: Tally) -> None:
    levels = ctx.shopify.levels([str(row["sku"]) for row in rows], location_id=location)
    with database.writing(ctx.engine) as connection:
        for row in rows:
            sku, newest = str(row["sku"]), int(str(row["newest"]))
            quantity = ledger.balance(connection, code, sku, up_to=newest)
            why = _not_exportable(ctx, row, quantity, levels.get(sku))
            if why:
                tally.skip(f"{code} {sku}", why)
                _tell_conflict(ctx, connection, code, sku, why)
                continue
            events.close_tasks(connection, kind="stock conflict", subject=f"{code} {sku}", because="quantities agree", at=ctx.now())
            level = levels[sku]
            payload = {
                "warehouse": code,
                "location": location,
                "sku": sku,
                "item": level.item_id,
                "quantity": max(quantity, 0),
                "compare": level.available,
                "ledger": newest,
            }
            made = effects.intend(
                connection, kind="shopify.stock", target=f"{location}/{sku}", version=f"{newest}:{level.available}", payload=payload, now=ctx.now()
            )
            tally.done += 1 if made else 0
            if not made:
                tally.skip(f"{code} {sku}", "on its way already")


def _not_exportable(ctx: Context, row: dict[str, object], quantity: int, level: Level | None) -> str:
    """Why a quantity must not be written: unknown item, untracked, or Shopify has a figure that neither side can explain."""
    if level is None:
        return "Shopify has no item with this SKU"
    faults = {
        "several items in Shopify share this SKU": level.duplicates > 0,
        "Shopify does not track this item": not level.tracked,
        f"our balance is {quantity}; correct the ledger first": quantity < 0,
    }
    found = next((words for words, applies in faults.items() if applies), "")
    if found or not ctx.compare_before_write or level.available is None:
        return found
    before = int(str(row["exported"])) if row["exported"] is not None else 0
    if level.available in (quantity, before):
        return ""
    return f"conflict: Shopify has {level.available}, expected {before} (as last exported) or {quantity} (with the returns since); not overwritten"


def _tell_conflict(ctx: Context, connection: Connection, code: str, sku: str, why: str) -> None:
    if not why.startswith("Shopify does not track"):
        advice = "count, correct the side that is wrong, and the next export goes on; or set shopify.compare_before_write = false"
        events.open_task(connection, "stock conflict", f"{code} {sku}", f"{sku} at {code}: {why}", at=ctx.now(), advice=advice)


def perform_effect(ctx: Context, key: str) -> None:
    """Carry one effect to Shopify."""
    effect = effecting.load(ctx, key)
    effecting.perform(ctx, effect, STOCK)


def _clear(_ctx: Context, _effect: Effect) -> Look:
    return Look(sight=Sight.CLEAR)


def _repeatable(_ctx: Context, _effect: Effect) -> Look:
    """Shopify recognises the repeated key for 24 hours, so repeating with the same key and variables is the look (shopify-api 6.5)."""
    return Look(sight=Sight.NOT_HAPPENED, words="repeated with the same idempotency key")


def _set(ctx: Context, effect: Effect) -> Outcome:
    p = effect.payload
    key = str(uuid.uuid5(KEY_SPACE, f"{effect.target} {effect.version} {json.dumps(p, sort_keys=True)}"))
    reference = f"gid://returns-gateway/InventoryExport/{effect.id}"
    return ctx.shopify.set_quantities(location_id=p["location"], quantities=[(p["item"], p["quantity"], p["compare"])], reference=reference, key=key)


def _settled_stock(ctx: Context, connection: Connection, effect: Effect, state: EffectState, cause: str) -> None:
    p = effect.payload
    if state == EffectState.FAILED:
        if "STALE" not in cause and "changed" not in cause.lower():
            _tell_conflict(ctx, connection, p["warehouse"], p["sku"], cause)
        return
    ledger.exported(connection, warehouse=p["warehouse"], sku=p["sku"], quantity=p["quantity"], ledger_id=p["ledger"], at=ctx.now())
    for rma in ledger.returns_behind(connection, warehouse=p["warehouse"], sku=p["sku"], up_to=p["ledger"]):
        text = f"Exported to Shopify: {p['sku']} {p['quantity']} at {p['warehouse']} (location {p['location']})"
        events.note_once(connection, "stock.exported", text, at=ctx.now(), rma=rma)


STOCK = Way(label="inventory to Shopify", before=_clear, act=_set, after=_repeatable, settled=_settled_stock)
