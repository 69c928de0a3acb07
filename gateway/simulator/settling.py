"""What Loop does in Shopify when a return is processed: the refund and the exchange order.

The refund carries every returned unit; its transactions hold only what went back to the original payment. What went into an
exchange, a store credit or a fee is one positive adjustment, so that goods less adjustment equal the money, as Shopify has it.
An exchange becomes an order of its own named after the original, or, with native exchanges, new lines on the original order.
Sources: https://help.loopreturns.com/article/184-exchange-accounting-options,
https://help.loopreturns.com/article/125-loop-restock-functionality-api-calls
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.simulator import loop_model, model
from gateway.simulator.model import ZERO
from gateway.simulator.shop import order_total

if TYPE_CHECKING:
    from gateway.simulator.returns import Returns

LOOP_DISCOUNT = "loop-discount"
LOOP_SOURCE = "Loop Exchange"
LOOP_APP = "Loop Returns & Exchanges"


def finish(world: Returns, ret: loop_model.LoopReturn) -> None:
    """Carry out a queued processing: close the return with its outcomes, or put it into review when they cannot be given."""
    processing = ret.processing
    ret.processing = None
    if processing is None or ret.state in ("closed", "cancelled"):
        return
    at = processing.due_at.replace(microsecond=0)
    failure = ret.failure
    if failure is None and ret.exchange_order_id is None and any(new.out_of_stock for new in ret.exchanges):
        failure = "Exchange item is out of stock"
    if failure is not None:
        _fail(world, ret, processing.source, failure, at)
        return
    refund_goods(world, ret, at)
    if ret.exchanges and ret.exchange_order_id is None:
        place_exchange(world, ret, at, processing.details)
    ret.state, ret.flagged, ret.was_processed = "closed", False, True
    ret.updated_at = ret.closed_at = at
    world.events.append(loop_model.Event(at, "return.closed", {"id": ret.id, "state": ret.state}))


def refund_goods(world: Returns, ret: loop_model.LoopReturn, at: datetime) -> None:
    """Make the Shopify refund of a return; with `two_step`, the goods first and the money as a second refund."""
    order = world.orders[ret.order_id]
    number = world.refund_ids.get(ret.id) or world.refund_number()
    note = f"Loop return {ret.id}" if world.settings.refund_notes else None
    refund = model.Refund(number, order.id, at, at, at, note)
    refund.lines = _refund_lines(world, ret)
    money = ZERO if ret.two_step else ret.refund
    _adjust(world, refund, refund.goods - money)
    _pay(world, ret, order, refund, money, at)
    _book(world, ret, order, refund)
    if ret.two_step and ret.refund:
        later = model.Refund(world.refund_number(), order.id, at, at, at, note)
        _adjust(world, later, -ret.refund)
        _pay(world, ret, order, later, ret.refund, at)
        _book(world, ret, order, later)
    _tag(order, ret)


def place_exchange(world: Returns, ret: loop_model.LoopReturn, at: datetime, details: dict[str, str]) -> None:
    """Make the exchange order, or add the new items to the original order."""
    original = world.orders[ret.order_id]
    if ret.native_exchange:
        original.lines += list(_lines(world, ret, original))
        original.updated_at = at
        ret.exchange_order_id, ret.exchange_order_name = original.id, original.name
        if "Loop Exchange" not in original.tags:
            original.tags.append("Loop Exchange")
        return
    name = _free_name(world, original)
    order = model.Order(_free_id(world, original), name, original.number, at, at, [])
    order.lines = list(_lines(world, ret, order))
    order.source_name, order.app_name = LOOP_SOURCE, LOOP_APP
    order.tags, order.email, order.address = [str(original.number)], original.email, dict(original.address)
    order.note = f"Exchange for order {original.name}, return {ret.id}"
    order.custom_attributes = dict(details)
    order.currency, order.presentment_currency, order.rate = original.currency, original.presentment_currency, original.rate
    _settle_exchange(world, ret, order, at)
    world.book_order(order)
    ret.exchange_order_id, ret.exchange_order_name = order.id, order.name
    _commit(world, ret, order, at)


def _fail(world: Returns, ret: loop_model.LoopReturn, source: str, message: str, at: datetime) -> None:
    ret.state, ret.failure = "review", None
    ret.updated_at = at
    for new in ret.exchanges:
        if new.out_of_stock:
            new.resolution = "pending"
    payload: dict[str, object] = {"topic": "return.processing", "trigger": "return.processing.failed", "return_id": ret.id}
    payload |= {"return_state": ret.state, "message": message, "source": source}
    world.events.append(loop_model.Event(at, "return.processing.failed", payload))


def _refund_lines(world: Returns, ret: loop_model.LoopReturn) -> list[model.RefundLine]:
    lines: dict[tuple[int, str, int | None], model.RefundLine] = {}
    for unit in ret.units:
        restock = unit.restock and not unit.keep
        location = _location(world, ret, unit) if restock else None
        key = (unit.order_line_id, "RETURN" if restock else "NO_RESTOCK", location)
        if key not in lines:
            lines[key] = model.RefundLine(world.number(), key[0], 0, key[1], location, ZERO, ZERO)
        lines[key].quantity += 1
        lines[key].subtotal += unit.net
        lines[key].tax += unit.tax
    return list(lines.values())


def _location(world: Returns, ret: loop_model.LoopReturn, unit: loop_model.Unit) -> int | None:
    number = unit.destination_id or ret.destination_id
    destination = world.destinations.get(number) if number is not None else None
    if destination is not None and destination.location_id is not None:
        return destination.location_id
    return next(iter(world.locations), None)


def _adjust(world: Returns, refund: model.Refund, difference: Decimal) -> None:
    if difference:
        refund.adjustments.append(model.Adjustment(world.number(), "REFUND_DISCREPANCY", difference))


def _pay(
    world: Returns, ret: loop_model.LoopReturn, order: model.Order, refund: model.Refund, amount: Decimal, at: datetime
) -> None:  # six things, each of another kind
    if not amount:
        return
    sale = next((t for t in order.transactions if t.kind == "SALE"), None)
    parent, gateway = (sale.id, sale.gateway) if sale else (None, "manual")
    for name, part in ret.gateways or [(gateway, amount)]:
        paid = model.Transaction(world.number(), "REFUND", "SUCCESS", name, part, at, parent)
        refund.transactions.append(paid)


def _book(world: Returns, ret: loop_model.LoopReturn, order: model.Order, refund: model.Refund) -> None:
    world.book_refund(order, refund)
    ret.refund_ids.append(refund.id)


def _tag(order: model.Order, ret: loop_model.LoopReturn) -> None:
    wanted = {"Refund": ret.refund, "LE:Exchange": ret.exchange_total, "Gift Card": ret.gift_card}
    order.tags += [tag for tag, amount in wanted.items() if amount and tag not in order.tags]


def _lines(world: Returns, ret: loop_model.LoopReturn, order: model.Order) -> Iterable[model.OrderLine]:
    for new in ret.exchanges:
        line = model.OrderLine(world.number(), new.item, 1, new.price, new.tax, current_quantity=1)
        if new.discount:
            application = model.Discount(len(order.discounts), "manual", "Exchange discount", amount=new.discount)
            order.discounts.append(application)
            line.allocations.append(model.Allocation(application.index, new.discount))
        yield line


def _settle_exchange(world: Returns, ret: loop_model.LoopReturn, order: model.Order, at: datetime) -> None:
    """Loop discount ON: the credit is a discount on the goods, tax beyond it stays open. OFF: shown as paid in full."""
    goods = sum((line.gross - line.discount for line in order.lines), ZERO)
    if world.settings.loop_discount:
        amount = min(ret.exchange_credit, goods)
        application = model.Discount(len(order.discounts), "code", LOOP_DISCOUNT, amount=amount)
        order.discounts.append(application)
        world.allocate(order, application, amount)
    else:
        credit = order_total(order) - ret.upsell
        order.transactions.append(model.Transaction(world.number(), "SALE", "SUCCESS", "manual", credit, at))
    if ret.upsell:
        paid = model.Transaction(world.number(), "SALE", "SUCCESS", "shopify_payments", ret.upsell, at)
        order.transactions.append(paid)


def _commit(world: Returns, ret: loop_model.LoopReturn, order: model.Order, at: datetime) -> None:
    destination = world.destinations.get(ret.destination_id) if ret.destination_id is not None else None
    place = destination.location_id if destination else next(iter(world.locations), None)
    if not world.settings.commits_stock or place is None:
        return
    for line in order.lines:
        line.committed_at = place
        world.move_stock(line.item, place, -line.quantity, f"order {order.name}", at=at)
        world.move_stock(line.item, place, line.quantity, f"order {order.name}", at=at, name="committed")


def _free_name(world: Returns, original: model.Order) -> str:
    base = f"{world.settings.exchange_prefix}{original.name.lstrip('#')}"
    return next(name for name in (base, *(f"{base}-{n}" for n in range(2, 1000))) if not world.has_order(name))


def _free_id(world: Returns, original: model.Order) -> int:
    wanted = 5_100_000_000 + original.number
    return wanted if wanted not in world.orders else world.number()
