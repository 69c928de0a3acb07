"""Looking things up by any identifier people have in hand (requirements R-150): each from an index, so that a book of a million RAs answers at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from gateway.store import database, files
from gateway.store.files import File
from gateway.store.schema import authorization_lines, authorizations, exchange_orders, receipts, refunds, returns, tracking_numbers
from gateway.store.schema import files as files_table

Found = list[dict[str, str]]
LONGEST = 255
FEW = 50


def find(connection: Connection, text: str) -> Found:
    """What an identifier names: exact matches first, then units of a SKU or bar code, then what begins with it."""
    text = text.strip()[:LONGEST]
    if not text:
        return []
    exact = [hit for look in (_returns, _authorizations, _tracked, _receipts, _refunds, _orders, _files) for hit in look(connection, text)]
    return exact or _by_sku(connection, text) or [hit for look in (_beginning, _files_beginning) for hit in look(connection, text)]


def _hits(connection: Connection, statement: Select[Any], kind: str) -> Found:
    return [{"kind": kind} | {k: str(v) for k, v in row.items() if v is not None} for row in database.rows(connection, statement.limit(FEW))]


def _returns(connection: Connection, text: str) -> Found:
    plain = text.lstrip("#")
    wanted = or_(returns.c.rma == text, returns.c.order_id == text, returns.c.order_name.in_([text, f"#{plain}"]))
    return _hits(connection, select(returns.c.rma, returns.c.order_name, returns.c.state).where(wanted), "return")


def _authorizations(connection: Connection, text: str) -> Found:
    columns = (authorizations.c.ra, authorizations.c.rma, authorizations.c.partner, authorizations.c.state)
    return _hits(connection, select(*columns).where(authorizations.c.ra == text.upper()), "RA")


def _receipts(connection: Connection, text: str) -> Found:
    columns = (receipts.c.id, receipts.c.receipt_no, receipts.c.partner, receipts.c.ra, receipts.c.state)
    return _hits(connection, select(*columns).where(receipts.c.receipt_no == text), "receipt")


def _refunds(connection: Connection, text: str) -> Found:
    columns = (refunds.c.refund_id, refunds.c.rma, refunds.c.order_name, refunds.c.status, refunds.c.message)
    return _hits(connection, select(*columns).where(refunds.c.refund_id == text), "refund")


def _orders(connection: Connection, text: str) -> Found:
    columns = (exchange_orders.c.order_id, exchange_orders.c.name, exchange_orders.c.rma, exchange_orders.c.ar)
    return _hits(connection, select(*columns).where(or_(exchange_orders.c.name == text, exchange_orders.c.order_id == text)), "exchange order")


def _files(connection: Connection, text: str) -> Found:
    columns = (files_table.c.id, files_table.c.name, files_table.c.partner, files_table.c.direction, files_table.c.outcome)
    wanted = or_(files_table.c.name == text, files_table.c.sha256 == text, files_table.c.control == text.zfill(9))
    return _hits(connection, select(*columns).where(wanted), "file")


def _tracked(connection: Connection, text: str) -> Found:
    columns = (authorizations.c.ra, authorizations.c.rma, authorizations.c.partner, authorizations.c.state)
    statement = select(*columns).join(tracking_numbers, tracking_numbers.c.ra == authorizations.c.ra).where(tracking_numbers.c.number == text)
    return _hits(connection, statement, "RA")


def _beginning(connection: Connection, text: str) -> Found:
    columns = (authorizations.c.ra, authorizations.c.rma, authorizations.c.partner, authorizations.c.state)
    tracked = select(tracking_numbers.c.ra).where(_begins(tracking_numbers.c.number, text))
    named = or_(_begins(authorizations.c.ra, text.upper()), _begins(authorizations.c.rma, text), authorizations.c.ra.in_(tracked))
    return _hits(connection, select(*columns).where(named), "RA")


def _files_beginning(connection: Connection, text: str) -> Found:
    columns = (files_table.c.id, files_table.c.name, files_table.c.partner, files_table.c.direction, files_table.c.outcome)
    return _hits(connection, select(*columns).where(_begins(files_table.c.name, text)), "file")


def _begins(column: Any, text: str) -> Any:
    """A range that an index serves, where LIKE would read the whole table."""
    return and_(column >= text, column < text + "\U0010ffff")


def _by_sku(connection: Connection, text: str) -> Found:
    columns = (authorization_lines.c.ra, authorizations.c.rma, authorization_lines.c.sku, authorization_lines.c.expected, authorizations.c.state)
    statement = (
        select(*columns)
        .join(authorizations, authorizations.c.ra == authorization_lines.c.ra)
        .where(or_(authorization_lines.c.sku == text, authorization_lines.c.upc == text))
    )
    return _hits(connection, statement, "RA line")


def files_named(connection: Connection, text: str) -> list[File]:
    """Files by name, number in the book, or hash; the newest last."""
    wanted = [files_table.c.name == text, files_table.c.sha256 == text]
    if text.isdigit():
        wanted.append(files_table.c.id == int(text))
    return files.list_files(connection, or_(*wanted))
