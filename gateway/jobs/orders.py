"""Exchange orders, imported once each at A/R 0.00: those that closed returns name, and those that look like one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.clients.shopify import TouchedOrder
from gateway.domain import money, ordering
from gateway.domain.documents import Order, Return
from gateway.errors import PermanentError
from gateway.jobs import shopify
from gateway.jobs.context import Context, Tally
from gateway.store import database, effects, events, ledger, returns
from gateway.store.returns import HeldReturn

POSITION = "shopify.orders.updated_at"


def import_orders(ctx: Context, *, order: str | None = None, start: datetime | None = None, end: datetime | None = None) -> Tally:
    """Import exchange orders: those that closed returns name, and those that look like one (R-012, R-121)."""
    tally = Tally(scope=order or "")
    with database.reading(ctx.engine) as connection:
        waiting = returns.waiting_for_exchange(connection)
    for held in waiting:
        tally.read += 1
        _import_linked(ctx, held, tally)
    if order:
        for touched in shopify.orders_named(ctx, order):
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
            order_id = name if str(name).isdigit() else next((o.order_id for o in shopify.orders_named(ctx, str(name))), "")
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
    since = start or shopify.since(ctx, POSITION, ctx.timing.refunds_overlap)
    if since >= until:
        return
    with database.reading(ctx.engine) as connection:
        waiting = {r.document.order_name.lstrip("#") for r in returns.waiting_for_exchange(connection)}
    shown: list[datetime] = []
    for page in ctx.shopify.orders_touched(start=since, end=until + timedelta(seconds=1)):
        for touched in page:
            shown.append(touched.updated_at)
            prefixed = touched.name.lstrip("#").upper().startswith(ctx.policy.exchange_prefix.upper())
            if prefixed or waiting & {tag.lstrip("#") for tag in touched.tags}:
                _take_candidate(ctx, touched, tally)
    if start is None:
        with database.writing(ctx.engine) as connection:
            events.advance_position(connection, POSITION, max(shown, default=None))


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
    with database.reading(ctx.engine) as connection:
        used = ledger.exchange_credit_used(connection, rma.rma)
    booked = ordering.book(order, rma=rma, credit_used=used)
    with database.writing(ctx.engine) as connection:
        returns.set_exchange_state(connection, rma.rma, f"exchange order {order.name} imported")
        events.resolve_alert(connection, "exchange order missing", rma.rma, at=ctx.now())
        if not ledger.add_order(connection, booked, matched_by=matched_by, at=ctx.now()):
            tally.skip(order.name, "imported before")
            return
        amounts = {name: money.text(getattr(booked, name), order.currency) for name in ("merchandise", "tax", "discount", "misc_charge", "ar")}
        offset = f"discount {amounts['discount']}" if booked.discount else f"miscellaneous charge {amounts['misc_charge']}"
        text = f"Exchange order {order.name} imported: merchandise {amounts['merchandise']}, tax {amounts['tax']}, {offset}, A/R {amounts['ar']}"
        events.note(connection, "order.imported", text, at=ctx.now(), rma=rma.rma, facts={"matched_by": matched_by})
        if booked.ar:
            text = f"{order.name}: A/R is {amounts['ar']} {order.currency}: neither the return credit {money.text(booked.offset, order.currency)} nor a payment covers it"
            advice = "collect the upsell in Shopify, or compare the exchange with Loop"
            events.open_task(connection, "A/R not zero", order.order_id, text, at=ctx.now(), rma=rma.rma, advice=advice)
    tally.done += 1
