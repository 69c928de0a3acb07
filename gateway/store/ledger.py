"""Stock and money: the ledger, refunds, credit invoices, exchange orders. Rows are added, never edited; a balance is a sum (R-118)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select, update

from gateway.domain import money
from gateway.domain.crediting import OPEN_KINDS, Credit, Move, OpenCredit, Settlement
from gateway.domain.documents import ZERO, Refund
from gateway.domain.ordering import ExchangeOrder
from gateway.domain.refunding import Assessment
from gateway.store import database, documents, events
from gateway.store.schema import credit_invoices, exchange_orders, refund_lines, refunds, settlement_moves, stock_exports, stock_ledger

INVOICE = ("number", "refund_id", "rma", "currency", "merchandise", "tax", "shipping", "duties", "adjustment", "total", "settlements")
MOVEMENT = ("warehouse", "sku", "quantity", "cause", "reference", "rma")


def post(connection: Connection, text: str, *, at: datetime, **fields: Any) -> int | None:
    """Add a stock movement and tell it; its number, or None when this cause and reference posted it before.

    The event carries the movement itself: once the event is sealed, a movement altered by hand no longer matches it (A-142).
    """
    number = database.insert_new(connection, stock_ledger, {**fields, "posted_at": database.instant(at)})
    if number is not None:
        facts = {"movements": [[number, *(fields.get(name) for name in MOVEMENT)]]}
        events.note(connection, "stock.posted", text, at=at, rma=fields.get("rma"), actor=fields.get("actor", "gateway"), facts=facts)
    return number


def balance(connection: Connection, warehouse: str, sku: str, *, up_to: int | None = None) -> int:
    """The units of a SKU in a warehouse, as of a ledger entry."""
    statement = select(func.coalesce(func.sum(stock_ledger.c.quantity), 0)).where(stock_ledger.c.warehouse == warehouse, stock_ledger.c.sku == sku)
    if up_to is not None:
        statement = statement.where(stock_ledger.c.id <= up_to)
    return int(connection.execute(statement).scalar_one())


def balances_at(connection: Connection, warehouses: Iterable[str], *, before: datetime) -> dict[tuple[str, str], int]:
    """The balance of each warehouse and SKU by what was posted before an instant."""
    place = (stock_ledger.c.warehouse, stock_ledger.c.sku)
    mine = (stock_ledger.c.warehouse.in_(list(warehouses)), stock_ledger.c.posted_at < database.instant(before))
    statement = select(*place, func.sum(stock_ledger.c.quantity)).where(*mine).group_by(*place)
    return {(warehouse, sku): int(total) for warehouse, sku, total in connection.execute(statement)}


def movements(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Ledger entries that meet the criteria, in order."""
    return database.rows(connection, select(stock_ledger).where(*criteria).order_by(stock_ledger.c.id))


def movements_within(connection: Connection, start: datetime | None, end: datetime | None) -> list[dict[str, Any]]:
    """Ledger entries of a time, in order."""
    return movements(connection, *database.within(stock_ledger.c.posted_at, start, end))


def movements_for(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """Ledger entries of a return, in order."""
    return movements(connection, stock_ledger.c.rma == rma)


def invoices_within(connection: Connection, start: datetime | None, end: datetime | None) -> list[dict[str, Any]]:
    """Credit invoices made within a time."""
    return list_invoices(connection, *database.within(credit_invoices.c.made_at, start, end))


def refunds_within(connection: Connection, start: datetime | None, end: datetime | None) -> list[dict[str, Any]]:
    """Refunds looked at last within a time, whatever became of them."""
    return list_refunds(connection, *database.within(refunds.c.seen_at, start, end))


def orders_within(connection: Connection, start: datetime | None, end: datetime | None) -> list[dict[str, Any]]:
    """Exchange orders imported within a time."""
    return list_orders(connection, *database.within(exchange_orders.c.imported_at, start, end))


def refunds_of_return(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """Every refund that belongs to a return; with an empty number those that belong to none."""
    return list_refunds(connection, refunds.c.rma == rma if rma else refunds.c.rma.is_(None))


def invoices_of_return(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """The credit invoices of a return; with an empty number those that belong to none."""
    return list_invoices(connection, credit_invoices.c.rma == rma if rma else credit_invoices.c.rma.is_(None))


def invoices_numbered(connection: Connection, number: str) -> list[dict[str, Any]]:
    """The credit invoice of a number."""
    return list_invoices(connection, credit_invoices.c.number == number)


def posted_for(connection: Connection, rma: str) -> dict[str, int]:
    """Units already put in stock for an RMA, by SKU."""
    statement = select(stock_ledger.c.sku, func.sum(stock_ledger.c.quantity)).where(stock_ledger.c.rma == rma).group_by(stock_ledger.c.sku)
    return {sku: int(total) for sku, total in connection.execute(statement)}


def posted_at(connection: Connection, rma: str) -> dict[tuple[str, str], int]:
    """Units already put in stock for an RMA, by warehouse and SKU."""
    place = (stock_ledger.c.warehouse, stock_ledger.c.sku)
    statement = select(*place, func.sum(stock_ledger.c.quantity)).where(stock_ledger.c.rma == rma).group_by(*place)
    return {(warehouse, sku): int(total) for warehouse, sku, total in connection.execute(statement)}


def last_entry(connection: Connection) -> int:
    """The newest ledger entry's number; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(stock_ledger.c.id), 0))).scalar_one())


def changed_since_export(connection: Connection, warehouses: list[str], *, up_to: int) -> list[dict[str, Any]]:
    """Warehouse and SKU pairs with movements after what was last exported, with that export's figures (None: never exported)."""
    newest = (
        select(stock_ledger.c.warehouse, stock_ledger.c.sku, func.max(stock_ledger.c.id).label("newest"))
        .where(stock_ledger.c.warehouse.in_(warehouses), stock_ledger.c.id <= up_to)
        .group_by(stock_ledger.c.warehouse, stock_ledger.c.sku)
        .subquery()
    )
    both = (stock_exports.c.warehouse == newest.c.warehouse) & (stock_exports.c.sku == newest.c.sku)
    statement = (
        select(newest, stock_exports.c.quantity.label("exported"), stock_exports.c.ledger_id)
        .outerjoin(stock_exports, both)
        .where((stock_exports.c.ledger_id.is_(None)) | (stock_exports.c.ledger_id < newest.c.newest))
        .order_by(newest.c.warehouse, newest.c.sku)
    )
    return database.rows(connection, statement)


def exported(connection: Connection, *, warehouse: str, sku: str, quantity: int, ledger_id: int, at: datetime) -> None:
    """Note what Shopify was told."""
    row = {"warehouse": warehouse, "sku": sku, "quantity": quantity, "ledger_id": ledger_id, "exported_at": database.instant(at)}
    database.put(connection, stock_exports, row)


def load_refund(connection: Connection, refund_id: str) -> dict[str, Any] | None:
    """A refund's row."""
    return database.row(connection, select(refunds).where(refunds.c.refund_id == refund_id))


def list_refunds(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Refunds that meet the criteria, oldest first."""
    return database.rows(connection, select(refunds).where(*criteria).order_by(refunds.c.refund_id))


def held_refunds(connection: Connection) -> list[dict[str, Any]]:
    """Refunds that wait for something, in the order in which they were made."""
    return sorted(list_refunds(connection, refunds.c.status == "held"), key=lambda row: (refund_document(row).created_at, row["refund_id"]))


def imported_for(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """The refunds imported for a return."""
    return list_refunds(connection, refunds.c.rma == rma, refunds.c.status == "imported")


def has_order(connection: Connection, order_id: str) -> bool:
    """Whether an exchange order was imported."""
    return bool(list_orders(connection, exchange_orders.c.order_id == order_id))


def return_behind(connection: Connection, order_id: str) -> str:
    """The RMA whose exchange order this is; empty when it is none."""
    return next((str(row["rma"] or "") for row in list_orders(connection, exchange_orders.c.order_id == order_id)), "")


def exchange_credit_used(connection: Connection, rma: str) -> Decimal:
    """How much of a return's credit its imported exchange orders took."""
    mine = list_orders(connection, exchange_orders.c.rma == rma)
    return -money.total(Decimal(row[name]) for row in mine for name in ("misc_charge", "discount"))


def open_stock(connection: Connection, entries: Iterable[tuple[str, str, int]], *, at: datetime) -> int:
    """Enter opening stock once; Shopify is taken to know these quantities. How many entries were new."""
    made: list[list[Any]] = []
    for warehouse, sku, quantity in entries:
        row = {"warehouse": warehouse, "sku": sku, "quantity": quantity, "cause": "opening", "reference": "opening stock"}
        number = database.insert_new(connection, stock_ledger, row | {"posted_at": database.instant(at)})
        if number is not None:
            exported(connection, warehouse=warehouse, sku=sku, quantity=quantity, ledger_id=number, at=at)
            made.append([number, *(row.get(name) for name in MOVEMENT)])
    for start in range(0, len(made), 500):
        part = made[start : start + 500]
        events.note(connection, "stock.opened", f"Opening stock: {len(part)} entries", at=at, facts={"movements": part})
    return len(made)


def returns_behind(connection: Connection, *, warehouse: str, sku: str, up_to: int) -> list[str]:
    """The RMAs whose movements make up a balance."""
    place = (stock_ledger.c.warehouse == warehouse) & (stock_ledger.c.sku == sku) & (stock_ledger.c.id <= up_to)
    return [str(r[0]) for r in connection.execute(select(stock_ledger.c.rma).where(place, stock_ledger.c.rma.is_not(None)).distinct())]


def refund_document(row: dict[str, Any]) -> Refund:
    """The refund as it was read from Shopify."""
    return documents.load(Refund, row["document"])


def save_refund(  # noqa: PLR0913 - the columns that an assessment alone does not give
    connection: Connection, refund: Refund, assessment: Assessment, *, status: str, message: str, rma: str | None, at: datetime
) -> None:
    """Write a refund and its lines as assessed; a held one may be written again."""
    credit = assessment.credit if status == "imported" else None
    row = {
        "refund_id": refund.refund_id,
        "order_id": refund.order_id,
        "order_name": refund.order_name,
        "rma": rma,
        "status": status,
        "message": message,
        "currency": refund.currency,
        "credit": money.text(credit.total if credit else ZERO, refund.currency),
        "cash": money.text(_cash(refund, assessment) if status == "imported" else ZERO, refund.currency),
        "refund_updated_at": database.instant(refund.updated_at),
        "document": documents.dump(refund),
        "imported_at": database.instant(at) if status == "imported" else None,
        "seen_at": database.instant(at),
    }
    database.put(connection, refunds, row)
    connection.execute(refund_lines.delete().where(refund_lines.c.refund_id == refund.refund_id))
    for line, source in zip(assessment.lines, refund.lines, strict=False):
        entry = {
            "refund_id": refund.refund_id,
            "key": line.key,
            "order_line_id": source.order_line_id,
            "sku": line.sku,
            "imported": line.imported if status == "imported" else 0,
            "skipped": line.skipped,
            "merchandise": money.text(line.merchandise, refund.currency),
            "tax": money.text(line.tax, refund.currency),
            "restock_type": line.restock_type,
            "result": line.result.value if status != "held" else "held",
            "reason": line.reason,
            "goods": line.goods,
            "stocked": database.pack(line.stocked),
        }
        connection.execute(refund_lines.insert().values(**entry))


def _cash(refund: Refund, assessment: Assessment) -> Decimal:
    """Money paid out for what was credited, now or earlier; what went to units that never shipped is not in it."""
    credited = assessment.credit.cash if assessment.credit else ZERO
    return credited + money.total(m.amount for m in assessment.moves if m.to_kind == "cash")


def set_refund_message(connection: Connection, refund_id: str, message: str, *, updated_at: datetime, at: datetime) -> None:
    """Show a message on a refund (information), and remember up to which change in Shopify it was told."""
    values = {"message": message, "refund_updated_at": database.instant(updated_at), "seen_at": database.instant(at)}
    connection.execute(update(refunds).where(refunds.c.refund_id == refund_id).values(**values))


def paid_since(connection: Connection, refund: Refund, paid: Decimal, *, at: datetime) -> None:
    """Keep a refund as Shopify shows it now, with what it paid since its import; its lines and its credit stay as they were imported."""
    before = load_refund(connection, refund.refund_id) or {"cash": "0"}
    values = {"document": documents.dump(refund), "cash": money.text(Decimal(before["cash"]) + paid, refund.currency)}
    values |= {"refund_updated_at": database.instant(refund.updated_at), "seen_at": database.instant(at)}
    connection.execute(update(refunds).where(refunds.c.refund_id == refund.refund_id).values(**values))


def lines_of_refund(connection: Connection, refund_id: str) -> list[dict[str, Any]]:
    """The lines of a refund as imported."""
    return database.rows(connection, select(refund_lines).where(refund_lines.c.refund_id == refund_id).order_by(refund_lines.c.key))


def credited_units(connection: Connection, order_id: str, *, besides: str) -> dict[str, int]:
    """Units of an order credited by other refunds, by order line."""
    statement = (
        select(refund_lines.c.order_line_id, func.sum(refund_lines.c.imported))
        .join(refunds, refunds.c.refund_id == refund_lines.c.refund_id)
        .where(refunds.c.order_id == order_id, refunds.c.status == "imported", refunds.c.refund_id != besides)
        .group_by(refund_lines.c.order_line_id)
    )
    return {line: int(total) for line, total in connection.execute(statement)}


def disposed_units(connection: Connection, order_id: str, return_id: str, *, besides: str) -> dict[str, int]:
    """Units credited by other refunds of the same Shopify return, by order line: their dispositions are used up."""
    found: dict[str, int] = {}
    for row in list_refunds(connection, refunds.c.order_id == order_id, refunds.c.status == "imported", refunds.c.refund_id != besides):
        if refund_document(row).return_id == return_id:
            for line in lines_of_refund(connection, row["refund_id"]):
                found[line["order_line_id"]] = found.get(line["order_line_id"], 0) + line["imported"]
    return found


def waits_behind(connection: Connection, refund: Refund) -> str:
    """An earlier refund of the same order that is held and that this one depends on, since both touch a line or one of them is money alone; else empty."""
    mine = {line.order_line_id for line in refund.lines}
    for row in list_refunds(connection, refunds.c.order_id == refund.order_id, refunds.c.status == "held", refunds.c.refund_id != refund.refund_id):
        other = refund_document(row)
        theirs = {line.order_line_id for line in other.lines}
        if (other.created_at, other.refund_id) < (refund.created_at, refund.refund_id) and (mine & theirs or not mine or not theirs):
            return other.refund_id
    return ""


def number_of(refund_id: str) -> str:
    """The number of a refund's credit invoice."""
    return f"CI-{refund_id}"


def add_invoice(connection: Connection, *, refund: Refund, credit: Credit, rma: str | None, at: datetime) -> str:
    """Make the credit invoice of a refund; there is at most one, its number is `CI-` + the refund id."""
    number = number_of(refund.refund_id)
    row = {
        "number": number,
        "refund_id": refund.refund_id,
        "order_id": refund.order_id,
        "rma": rma,
        "currency": credit.currency,
        **{name: money.text(getattr(credit, name), credit.currency) for name in ("merchandise", "tax", "shipping", "duties", "adjustment", "total")},
        "settlements": database.pack(
            [{"kind": s.kind, "amount": money.text(s.amount, credit.currency), "detail": s.detail} for s in credit.settlements]
        ),
        "adjustments": database.pack([{"reason": a.reason, "amount": money.text(a.amount, credit.currency)} for a in credit.adjustments]),
        "shopper_currency": credit.shopper_currency,
        "shopper": database.pack({name: money.text(amount, credit.shopper_currency) for name, amount in credit.shopper}),
        "made_at": database.instant(at),
    }
    connection.execute(credit_invoices.insert().values(**row))
    ways = ", ".join(f"{s.kind} {money.text(s.amount, credit.currency)}" for s in credit.settlements)
    text = f"Credit invoice {number}: {row['total']} {credit.currency} ({ways or 'nothing paid'})"
    facts = {"invoice": {name: row[name] for name in INVOICE}}
    events.note(connection, "invoice.made", text, at=at, rma=rma, facts=facts)
    return number


def move_settlement(connection: Connection, move: Move, *, refund: Refund, rma: str | None, at: datetime) -> None:
    """Settle a part of an earlier credit invoice by money; the invoice itself stays as it was made (R-124)."""
    row = {"refund_id": refund.refund_id, "invoice": move.invoice, "from_kind": move.from_kind, "to_kind": move.to_kind, "detail": move.detail}
    row |= {"amount": money.text(move.amount, refund.currency), "moved_at": database.instant(at)}
    connection.execute(settlement_moves.insert().values(**row))
    text = (
        f"{row['amount']} {refund.currency} of {move.invoice} was settled as {move.from_kind} and is {move.to_kind} now (refund {refund.refund_id})"
    )
    events.note(connection, "invoice.settled", text, at=at, rma=rma)


def moves(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Later settlements that meet the criteria, in order."""
    return database.rows(connection, select(settlement_moves).where(*criteria).order_by(settlement_moves.c.id))


def split(connection: Connection, invoice: dict[str, Any]) -> dict[str, Decimal]:
    """How a credit invoice is settled by now: kind to amount, later settlements counted."""
    found: dict[str, Decimal] = {}
    for one in settlements(invoice):
        found[one.kind] = found.get(one.kind, ZERO) + one.amount
    for move in moves(connection, settlement_moves.c.invoice == invoice["number"]):
        amount = Decimal(move["amount"])
        found[move["from_kind"]] = found.get(move["from_kind"], ZERO) - amount
        found[move["to_kind"]] = found.get(move["to_kind"], ZERO) + amount
    return {kind: amount for kind, amount in found.items() if amount}


def settled_for(connection: Connection, rma: str) -> dict[str, Decimal]:
    """How all credits of a return are settled by now."""
    found: dict[str, Decimal] = {}
    for invoice in list_invoices(connection, credit_invoices.c.rma == rma):
        for kind, amount in split(connection, invoice).items():
            found[kind] = found.get(kind, ZERO) + amount
    return found


def open_credits(connection: Connection, *, order_id: str = "", rma: str = "", currency: str) -> tuple[OpenCredit, ...]:
    """The parts of an order's or a return's credits that were not settled by money, oldest invoice first."""
    mine = credit_invoices.c.rma == rma if rma else credit_invoices.c.order_id == order_id
    found = []
    for invoice in sorted(list_invoices(connection, mine, credit_invoices.c.currency == currency), key=lambda row: str(row["made_at"])):
        parts = split(connection, invoice)
        found += [OpenCredit(invoice=invoice["number"], kind=kind, amount=parts[kind]) for kind in OPEN_KINDS if parts.get(kind, ZERO) > 0]
    return tuple(found)


def shipping_credited(connection: Connection, order_id: str, *, currency: str) -> Decimal:
    """Shipping given back on an order so far."""
    return money.total(
        Decimal(i["shipping"]) for i in list_invoices(connection, credit_invoices.c.order_id == order_id, credit_invoices.c.currency == currency)
    )


def settlements(invoice: dict[str, Any]) -> list[Settlement]:
    """How a credit invoice was settled."""
    return [Settlement(kind=s["kind"], amount=Decimal(s["amount"]), detail=s["detail"]) for s in json.loads(invoice["settlements"])]


def list_invoices(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Credit invoices that meet the criteria."""
    return database.rows(connection, select(credit_invoices).where(*criteria).order_by(credit_invoices.c.number))


def add_order(connection: Connection, order: ExchangeOrder, *, matched_by: str, at: datetime) -> bool:
    """Write an exchange order; False when it was imported before."""
    row = {
        "order_id": order.order_id,
        "name": order.name,
        "rma": order.rma,
        "original_order": order.original_order,
        "matched_by": matched_by,
        "currency": order.currency,
        "misc_label": order.misc_label,
        "imported_at": database.instant(at),
    }
    amounts = ("merchandise", "tax", "shipping", "misc_charge", "discount", "collected", "ar")
    row |= {name: money.text(getattr(order, name), order.currency) for name in amounts}
    row |= {"shopper_currency": order.shopper_currency, "shopper_total": ""}
    if order.shopper_currency:
        row["shopper_total"] = money.text(order.shopper_total, order.shopper_currency)
    return database.insert_new(connection, exchange_orders, row) is not None


def list_orders(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Exchange orders that meet the criteria."""
    return database.rows(connection, select(exchange_orders).where(*criteria).order_by(exchange_orders.c.order_id))


def refunds_of(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """The refunds of a return, whatever became of them."""
    return list_refunds(connection, refunds.c.rma == rma)


def invoices_of(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """The credit invoices of a return."""
    return list_invoices(connection, credit_invoices.c.rma == rma)


def orders_of(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """The exchange orders of a return."""
    return list_orders(connection, exchange_orders.c.rma == rma)


def movements_of(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """The stock movements of a return."""
    return movements(connection, stock_ledger.c.rma == rma)
