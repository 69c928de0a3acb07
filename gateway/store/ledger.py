"""Stock and money: the ledger, refunds, credit invoices, exchange orders. Rows are added, never edited; a balance is a sum (R-118)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select, update

from gateway.domain.documents import ZERO, Refund
from gateway.domain.ordering import ExchangeOrder
from gateway.domain.refunding import Assessment, Credit, Settlement
from gateway.store import database, documents
from gateway.store.schema import credit_invoices, exchange_orders, refund_lines, refunds, stock_exports, stock_ledger


def post(connection: Connection, *, at: datetime, **fields: Any) -> bool:
    """Add a stock movement; False when this cause and reference posted it before."""
    return database.insert_new(connection, stock_ledger, {**fields, "posted_at": database.instant(at)}) is not None


def balance(connection: Connection, warehouse: str, sku: str, *, up_to: int | None = None) -> int:
    """The units of a SKU in a warehouse, as of a ledger entry."""
    statement = select(func.coalesce(func.sum(stock_ledger.c.quantity), 0)).where(stock_ledger.c.warehouse == warehouse, stock_ledger.c.sku == sku)
    if up_to is not None:
        statement = statement.where(stock_ledger.c.id <= up_to)
    return int(connection.execute(statement).scalar_one())


def balances(connection: Connection) -> dict[tuple[str, str], int]:
    """The balance of every warehouse and SKU."""
    statement = select(stock_ledger.c.warehouse, stock_ledger.c.sku, func.sum(stock_ledger.c.quantity)).group_by(
        stock_ledger.c.warehouse, stock_ledger.c.sku
    )
    return {(warehouse, sku): int(total) for warehouse, sku, total in connection.execute(statement)}


def movements(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Ledger entries that meet the criteria, in order."""
    return database.rows(connection, select(stock_ledger).where(*criteria).order_by(stock_ledger.c.id))


def posted_for(connection: Connection, rma: str) -> dict[str, int]:
    """Units already put in stock for an RMA, by SKU."""
    statement = select(stock_ledger.c.sku, func.sum(stock_ledger.c.quantity)).where(stock_ledger.c.rma == rma).group_by(stock_ledger.c.sku)
    return {sku: int(total) for sku, total in connection.execute(statement)}


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
    """Refunds that wait for something."""
    return list_refunds(connection, refunds.c.status == "held")


def imported_for(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """The refunds imported for a return."""
    return list_refunds(connection, refunds.c.rma == rma, refunds.c.status == "imported")


def has_order(connection: Connection, order_id: str) -> bool:
    """Whether an exchange order was imported."""
    return bool(list_orders(connection, exchange_orders.c.order_id == order_id))


def open_stock(connection: Connection, entries: Iterable[tuple[str, str, int]], *, at: datetime) -> int:
    """Enter opening stock once; Shopify is taken to know these quantities. How many entries were new."""
    new = 0
    for warehouse, sku, quantity in entries:
        if post(connection, at=at, warehouse=warehouse, sku=sku, quantity=quantity, cause="opening", reference="opening stock"):
            exported(connection, warehouse=warehouse, sku=sku, quantity=quantity, ledger_id=last_entry(connection), at=at)
            new += 1
    return new


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
        "credit": f"{credit.total if credit else ZERO:.2f}",
        "cash": f"{(credit.cash if credit else refund.cash) if status == 'imported' else ZERO:.2f}",
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
            "merchandise": f"{line.merchandise:.2f}",
            "tax": f"{line.tax:.2f}",
            "restock_type": line.restock_type,
            "result": line.result.value if status != "held" else "held",
            "reason": line.reason,
        }
        database.insert_new(connection, refund_lines, entry)


def set_refund_message(connection: Connection, refund_id: str, message: str, *, updated_at: datetime, at: datetime) -> None:
    """Show a message on a refund (information), and remember up to which change in Shopify it was told."""
    values = {"message": message, "refund_updated_at": database.instant(updated_at), "seen_at": database.instant(at)}
    connection.execute(update(refunds).where(refunds.c.refund_id == refund_id).values(**values))


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


def add_invoice(connection: Connection, *, refund: Refund, credit: Credit, rma: str | None, at: datetime) -> str:
    """Make the credit invoice of a refund; there is at most one, its number is `CI-` + the refund id."""
    number = f"CI-{refund.refund_id}"
    row = {
        "number": number,
        "refund_id": refund.refund_id,
        "order_id": refund.order_id,
        "rma": rma,
        "currency": credit.currency,
        "merchandise": f"{credit.merchandise:.2f}",
        "tax": f"{credit.tax:.2f}",
        "shipping": f"{credit.shipping:.2f}",
        "duties": f"{credit.duties:.2f}",
        "total": f"{credit.total:.2f}",
        "settlements": database.pack([{"kind": s.kind, "amount": f"{s.amount:.2f}", "detail": s.detail} for s in credit.settlements]),
        "made_at": database.instant(at),
    }
    database.insert_new(connection, credit_invoices, row)
    return number


def settlements(invoice: dict[str, Any]) -> list[Settlement]:
    """How a credit invoice was settled."""
    return [Settlement(kind=s["kind"], amount=Decimal(s["amount"]), detail=s["detail"]) for s in json.loads(invoice["settlements"])]


def returns_with_stock(connection: Connection) -> list[str]:
    """The RMAs for which stock was posted."""
    return [str(r[0]) for r in connection.execute(select(stock_ledger.c.rma).where(stock_ledger.c.rma.is_not(None)).distinct())]


def credited_for(connection: Connection, rma: str) -> dict[str, int]:
    """Units credited by the refunds of a return, by SKU."""
    statement = (
        select(refund_lines.c.sku, func.sum(refund_lines.c.imported))
        .join(refunds, refunds.c.refund_id == refund_lines.c.refund_id)
        .where(refunds.c.rma == rma, refunds.c.status == "imported")
        .group_by(refund_lines.c.sku)
    )
    return {sku: int(total) for sku, total in connection.execute(statement)}


def list_invoices(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Credit invoices that meet the criteria."""
    return database.rows(connection, select(credit_invoices).where(*criteria).order_by(credit_invoices.c.number))


def open_exchange_credit(connection: Connection, order_id: str) -> Decimal:
    """Credit of an order settled as exchange credit, less what was paid out for it since."""
    total = ZERO
    for invoice in list_invoices(connection, credit_invoices.c.order_id == order_id):
        total += sum((s.amount for s in settlements(invoice) if s.kind in ("exchange credit", "store credit")), ZERO)
    paid = list_refunds(connection, refunds.c.order_id == order_id, refunds.c.status == "imported", refunds.c.credit == "0.00")
    return total - sum((Decimal(row["cash"]) for row in paid), ZERO)


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
    row |= {name: f"{getattr(order, name):.2f}" for name in amounts}
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
