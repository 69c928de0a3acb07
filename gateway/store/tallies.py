"""Sums and lists for reports, many returns at a time: each is one statement, and money is added up as decimals by the reader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Connection, case, func, select

from gateway.domain.documents import ZERO
from gateway.store import database
from gateway.store.returns import HeldReturn, list_returns
from gateway.store.schema import (
    IS_DELIVERED,
    authorization_lines,
    authorizations,
    credit_invoices,
    decisions,
    events,
    exchange_orders,
    file_documents,
    files,
    receipts,
    refund_lines,
    refunds,
    returns,
    stock_ledger,
)

Rows = list[dict[str, Any]]


def between(column: Column[Any], start: datetime | None, end: datetime | None) -> list[Any]:
    """Criteria: from an instant on, before another; None is open."""
    found = [column >= database.instant(start)] if start else []
    return found + ([column < database.instant(end)] if end else [])


def invoices_between(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Credit invoices made in a period."""
    made = between(credit_invoices.c.made_at, start, end)
    return database.rows(connection, select(credit_invoices).where(*made).order_by(credit_invoices.c.number))


def refunds_between(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Refunds imported in a period."""
    made = between(refunds.c.imported_at, start, end)
    return database.rows(connection, select(refunds).where(refunds.c.status == "imported", *made).order_by(refunds.c.refund_id))


def returns_numbered(connection: Connection, numbers: Sequence[str]) -> list[HeldReturn]:
    """Returns by their RMA numbers."""
    return list_returns(connection, returns.c.rma.in_(numbers))


def invoices_of(connection: Connection, numbers: Sequence[str]) -> Rows:
    """The credit invoices of returns."""
    return database.rows(connection, select(credit_invoices).where(credit_invoices.c.rma.in_(numbers)).order_by(credit_invoices.c.number))


def refunds_of(connection: Connection, numbers: Sequence[str]) -> Rows:
    """The imported refunds of returns."""
    return database.rows(connection, select(refunds).where(refunds.c.rma.in_(numbers), refunds.c.status == "imported").order_by(refunds.c.refund_id))


def unowned_mismatches(connection: Connection) -> tuple[Rows, dict[str, dict[str, Any]]]:
    """The credit invoices and (by id) the imported refunds that belong to no return and do not agree."""
    joined = refunds.outerjoin(credit_invoices, credit_invoices.c.refund_id == refunds.c.refund_id)
    wrong = func.coalesce(credit_invoices.c.total, "0.00") != refunds.c.credit
    found = select(refunds).select_from(joined).where(refunds.c.rma.is_(None), refunds.c.status == "imported", wrong)
    known = {row["refund_id"]: row for row in database.rows(connection, found)}
    return database.rows(connection, select(credit_invoices).where(credit_invoices.c.refund_id.in_(list(known)))), known


def returns_touched(connection: Connection, *, after: int) -> list[str]:
    """The RMAs of which something was recorded after an event."""
    statement = select(events.c.rma).where(events.c.id > after, events.c.rma.is_not(None)).distinct()
    return [str(r[0]) for r in connection.execute(statement)]


def last_event(connection: Connection) -> int:
    """The newest event's number; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(events.c.id), 0))).scalar_one())


def units_received(connection: Connection, numbers: Sequence[str]) -> dict[str, dict[str, dict[str, int]]]:
    """What came for returns: RMA, SKU, then good, second, not_returned, expected."""
    names = ("good", "second", "not_returned", "expected")
    sums = [func.sum(authorization_lines.c[name]).label(name) for name in names]
    statement = (
        select(authorizations.c.rma, authorization_lines.c.sku, *sums)
        .join(authorization_lines, authorization_lines.c.ra == authorizations.c.ra)
        .where(authorizations.c.rma.in_(numbers))
        .group_by(authorizations.c.rma, authorization_lines.c.sku)
    )
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for row in database.rows(connection, statement):
        found[row["rma"]][row["sku"]] = {name: int(row[name]) for name in names}
    return found


def units_posted(connection: Connection, numbers: Sequence[str]) -> dict[str, dict[str, int]]:
    """What was posted to stock for returns: RMA, SKU, units."""
    statement = select(stock_ledger.c.rma, stock_ledger.c.sku, func.sum(stock_ledger.c.quantity)).where(stock_ledger.c.rma.in_(numbers))
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for rma, sku, units in connection.execute(statement.group_by(stock_ledger.c.rma, stock_ledger.c.sku)):
        found[rma][sku] = int(units)
    return found


def units_restocked(connection: Connection, numbers: Sequence[str]) -> dict[str, dict[str, tuple[int, int]]]:
    """What refunds of returns say about stock: RMA, SKU, then the least (restocked) and the most (credited) that may be posted."""
    sure = case(((refund_lines.c.restock_type == "RETURN") & (refund_lines.c.result == "imported"), refund_lines.c.imported), else_=0)
    statement = (
        select(refunds.c.rma, refund_lines.c.sku, func.sum(sure), func.sum(refund_lines.c.imported))
        .join(refunds, refunds.c.refund_id == refund_lines.c.refund_id)
        .where(refunds.c.rma.in_(numbers), refunds.c.status == "imported")
        .group_by(refunds.c.rma, refund_lines.c.sku)
    )
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for rma, sku, least, most in connection.execute(statement):
        found[rma][sku] = (int(least), int(most))
    return found


def units_credited(connection: Connection, numbers: Sequence[str]) -> dict[str, dict[str, tuple[int, Decimal]]]:
    """What imported refunds of returns credit: RMA, SKU, then units and their value with tax."""
    columns = (refunds.c.rma, refund_lines.c.sku, refund_lines.c.imported, refund_lines.c.merchandise, refund_lines.c.tax)
    statement = select(*columns).join(refunds, refunds.c.refund_id == refund_lines.c.refund_id)
    found: dict[str, dict[str, tuple[int, Decimal]]] = defaultdict(dict)
    wanted = (refunds.c.rma.in_(numbers), refunds.c.status == "imported", refund_lines.c.imported > 0)
    for rma, sku, units, merchandise, tax in connection.execute(statement.where(*wanted)):
        before, value = found[rma].get(sku, (0, ZERO))
        found[rma][sku] = (before + units, value + Decimal(merchandise) + Decimal(tax))
    return found


def standing_of(connection: Connection, numbers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of each return the state and partner of the RA that got something first, and since when."""
    columns = (authorizations.c.rma, authorizations.c.state, authorizations.c.partner, authorizations.c.first_receipt_at.label("since"))
    came = (authorizations.c.rma.in_(numbers), authorizations.c.first_receipt_at.is_not(None))
    found: dict[str, dict[str, Any]] = {}
    for row in database.rows(connection, select(*columns).where(*came).order_by(authorizations.c.first_receipt_at, authorizations.c.ra)):
        found.setdefault(row["rma"], {name: row[name] for name in ("state", "partner", "since")})
    return found


def cash_refunded(connection: Connection, numbers: Sequence[str]) -> dict[str, Decimal]:
    """Money that Shopify's refunds of returns paid out."""
    found: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for rma, cash in connection.execute(select(refunds.c.rma, refunds.c.cash).where(refunds.c.rma.in_(numbers), refunds.c.status == "imported")):
        found[rma] += Decimal(cash)
    return found


def open_orders(connection: Connection, numbers: Sequence[str]) -> dict[str, Decimal]:
    """Exchange orders of returns whose A/R is not zero."""
    found: dict[str, Decimal] = {}
    for rma, ar in connection.execute(select(exchange_orders.c.rma, exchange_orders.c.ar).where(exchange_orders.c.rma.in_(numbers))):
        if Decimal(ar):
            found[rma] = found.get(rma, ZERO) + Decimal(ar)
    return found


def orders_between(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Exchange orders imported in a period."""
    made = between(exchange_orders.c.imported_at, start, end)
    return database.rows(connection, select(exchange_orders).where(*made).order_by(exchange_orders.c.name))


def lines_expected(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """RA lines made in a period, with what came."""
    names = ("ra", "rma", "partner", "warehouse", "state", "created_at", "first_receipt_at")
    counted = ("sku", "expected", "good", "second", "not_returned", "over")
    statement = (
        select(*(authorizations.c[name] for name in names), *(authorization_lines.c[name] for name in counted))
        .join(authorization_lines, authorization_lines.c.ra == authorizations.c.ra)
        .where(*between(authorizations.c.created_at, start, end))
        .order_by(authorizations.c.created_at, authorizations.c.ra, authorization_lines.c.line_no)
    )
    return database.rows(connection, statement)


def authorization_documents(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """The documents of RAs made in a period, as they are kept."""
    columns = (authorizations.c.ra, authorizations.c.rma, authorizations.c.partner, authorizations.c.document, authorizations.c.first_receipt_at)
    return database.rows(connection, select(*columns).where(*between(authorizations.c.created_at, start, end)).order_by(authorizations.c.ra))


def waiting_receipts(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Receipts that arrived in a period and belong to no RA."""
    wanted = (receipts.c.state.in_(["waiting", "unmatched"]), *between(receipts.c.arrived_at, start, end))
    statement = select(receipts, files.c.name.label("file")).outerjoin(files, files.c.id == receipts.c.file_id).where(*wanted).order_by(receipts.c.id)
    return database.rows(connection, statement)


def refunds_seen(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Refunds seen in a period, imported or not."""
    return database.rows(connection, select(refunds).where(*between(refunds.c.seen_at, start, end)).order_by(refunds.c.refund_id))


def refund_lines_seen(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Lines of the refunds seen in a period."""
    head = (refunds.c.order_name, refunds.c.rma, refunds.c.status, refunds.c.currency, refunds.c.seen_at, refunds.c.message)
    statement = select(refund_lines, *head).join(refunds, refunds.c.refund_id == refund_lines.c.refund_id)
    return database.rows(connection, statement.where(*between(refunds.c.seen_at, start, end)).order_by(refund_lines.c.refund_id, refund_lines.c.key))


def reasons_decided(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Decisions of a period, as they are kept."""
    columns = (decisions.c.rma, decisions.c.verdict, decisions.c.document, decisions.c.decided_at)
    return database.rows(connection, select(*columns).where(*between(decisions.c.decided_at, start, end)).order_by(decisions.c.rma))


def files_by_day(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Files that came in a period, counted by day (UTC), partner and outcome: from the index alone."""
    day = func.substr(files.c.arrived_at, 1, len("2026-01-01")).label("day")
    wanted = [files.c.direction == "in", *between(files.c.arrived_at, start, end)]
    columns = (day, files.c.partner, files.c.outcome)
    return database.rows(connection, select(*columns, func.count().label("count")).where(*wanted).group_by(*columns))


def files_by_outcome(connection: Connection, partner: str, start: datetime, end: datetime) -> dict[str, int]:
    """A partner's inbound files of a period by outcome: a stretch of one index."""
    wanted = (files.c.partner == partner, files.c.direction == "in", *between(files.c.arrived_at, start, end))
    return {word: n for word, n in connection.execute(select(files.c.outcome, func.count()).where(*wanted).group_by(files.c.outcome))}


def receipts_arrived(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Receipts that count and arrived in a period, with the time the carrier delivered and the RA's state of receiving."""
    delivered = select(events.c.rma, func.min(events.c.at).label("delivered_at")).where(IS_DELIVERED).group_by(events.c.rma).subquery()
    bad = select(authorization_lines.c.ra, func.sum(authorization_lines.c.second + authorization_lines.c.over).label("beside"))
    bad = bad.add_columns(func.sum(authorization_lines.c.expected - authorization_lines.c.good - authorization_lines.c.second).label("missing"))
    lines = bad.group_by(authorization_lines.c.ra).subquery()
    statement = (
        select(
            receipts.c.partner, receipts.c.arrived_at, receipts.c.ra, authorizations.c.rma, delivered.c.delivered_at, lines.c.beside, lines.c.missing
        )
        .join(authorizations, authorizations.c.ra == receipts.c.ra)
        .join(lines, lines.c.ra == receipts.c.ra)
        .outerjoin(delivered, delivered.c.rma == authorizations.c.rma)
        .where(receipts.c.state == "applied", *between(receipts.c.arrived_at, start, end))
        .order_by(receipts.c.id)
    )
    return database.rows(connection, statement)


def documents_answered(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Documents delivered in a period: partner, when, acknowledged when and how."""
    columns = (file_documents.c.partner, file_documents.c.acknowledgement, file_documents.c.acknowledged_at, files.c.settled_at.label("sent_at"))
    statement = select(*columns).join(files, files.c.id == file_documents.c.file_id)
    sent = (file_documents.c.direction == "out", file_documents.c.ra.is_not(None), files.c.state == "delivered")
    return database.rows(connection, statement.where(*sent, *between(files.c.settled_at, start, end)))
