"""Looking things up by any identifier people have in hand (requirements R-150)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, or_, select

from gateway.store import database, files
from gateway.store.files import File
from gateway.store.schema import authorization_lines, authorizations, exchange_orders, receipts, refunds, returns
from gateway.store.schema import files as files_table

Found = list[dict[str, str]]


def find(connection: Connection, text: str) -> Found:
    """What an identifier names: exact matches first, then what contains it."""
    exact = [hit for look in (_returns, _authorizations, _receipts, _refunds, _orders, _files) for hit in look(connection, text)]
    return exact or [hit for look in (_contained, _by_sku) for hit in look(connection, text)]


def _hits(connection: Connection, statement: Select[Any], kind: str) -> Found:
    return [{"kind": kind} | {k: str(v) for k, v in row.items() if v is not None} for row in database.rows(connection, statement.limit(50))]


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


def _contained(connection: Connection, text: str) -> Found:
    """Tracking numbers and bar codes stand inside the documents."""
    inside = authorizations.c.document.contains(text, autoescape=True)
    return _hits(connection, select(authorizations.c.ra, authorizations.c.rma, authorizations.c.partner, authorizations.c.state).where(inside), "RA")


def _by_sku(connection: Connection, text: str) -> Found:
    columns = (authorization_lines.c.ra, authorization_lines.c.sku, authorization_lines.c.expected)
    return _hits(connection, select(*columns).where(authorization_lines.c.sku == text), "RA line")


def files_named(connection: Connection, text: str) -> list[File]:
    """Files by name, number in the book, or hash; the newest last."""
    wanted = [files_table.c.name == text, files_table.c.sha256 == text]
    if text.isdigit():
        wanted.append(files_table.c.id == int(text))
    return files.list_files(connection, or_(*wanted))
