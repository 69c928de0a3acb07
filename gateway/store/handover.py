"""Which rows were handed to the ERP, each once: its kind, its key, and the file that carries it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, cast, insert, select

from gateway.store import database
from gateway.store.schema import credit_invoices, erp_rows, exchange_orders, settlement_moves, stock_ledger

SOURCES = {
    "invoice": (credit_invoices, credit_invoices.c.number, credit_invoices.c.made_at),
    "settlement": (settlement_moves, settlement_moves.c.id, settlement_moves.c.moved_at),
    "movement": (stock_ledger, stock_ledger.c.id, stock_ledger.c.id),
    "order": (exchange_orders, exchange_orders.c.order_id, exchange_orders.c.imported_at),
}


def unsent(connection: Connection, kind: str, *, limit: int) -> list[dict[str, Any]]:
    """Rows of a kind that no file carries yet, oldest first; opening stock is where the ledger begins and is not handed over."""
    table, key, order = SOURCES[kind]
    carried = select(erp_rows.c.key).where(erp_rows.c.kind == kind, erp_rows.c.key == cast(key, String))
    statement = select(table).where(~carried.exists()).order_by(order, key).limit(limit)
    if kind == "movement":
        statement = statement.where(stock_ledger.c.cause != "opening")
    return database.rows(connection, statement)


def key_of(kind: str, row: dict[str, Any]) -> str:
    """The key under which a row is remembered."""
    return str(row[SOURCES[kind][1].name])


def sent(connection: Connection, keys: Iterable[tuple[str, str]], *, file_id: int, at: datetime) -> None:
    """Remember that a file carries these rows; one that another file carries makes the whole transaction fail, so that none is sent twice."""
    rows = [{"kind": kind, "key": key, "file_id": file_id, "sent_at": database.instant(at)} for kind, key in keys]
    if rows:
        connection.execute(insert(erp_rows), rows)
