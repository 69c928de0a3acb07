"""Counts, ages and values over the whole book, each from an index: how many RAs are where, since when, what happened on which day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, func, select

from gateway.store import database
from gateway.store.schema import alerts, authorizations, events, file_documents, files, receipts, refunds, returns, stock_exports, stock_ledger

Row = dict[str, Any]
DAILY: dict[str, Column[Any]] = {
    "authorized": authorizations.c.created_at,
    "received": receipts.c.arrived_at,
    "refunded": refunds.c.imported_at,
}


def stand_of_states(connection: Connection, states: Sequence[str]) -> dict[str, tuple[int, str]]:
    """How many RAs are in each of the states, and since when the oldest of them is in the book."""
    columns = (authorizations.c.state, func.count(), func.min(authorizations.c.created_at))
    statement = select(*columns).where(authorizations.c.state.in_(states)).group_by(authorizations.c.state)
    return {state: (count, oldest) for state, count, oldest in connection.execute(statement)}


def held_returns(connection: Connection) -> tuple[int, str]:
    """How many returns wait for a mapping, and since when."""
    count, oldest = connection.execute(select(func.count(), func.min(returns.c.imported_at)).where(returns.c.hold_key != "")).one()
    return count, oldest or ""


def unknown_parcels(connection: Connection) -> tuple[int, str]:
    """How many receipts wait for their RA, and since when."""
    waiting = receipts.c.state.in_(["waiting", "unmatched"])
    count, oldest = connection.execute(select(func.count(), func.min(receipts.c.arrived_at)).where(waiting)).one()
    return count, oldest or ""


def count_between(connection: Connection, what: str, start: datetime, end: datetime) -> int:
    """How many of a kind came between two instants."""
    column = DAILY[what]
    within = (column >= database.instant(start), column < database.instant(end))
    return connection.execute(select(func.count()).where(*within)).scalar_one()


def overdue_acknowledgements(connection: Connection) -> dict[str, int]:
    """Documents rejected or not acknowledged in time, by partner."""
    bad = file_documents.c.acknowledgement.in_(["rejected", "overdue"])
    return {p: count for p, count in connection.execute(select(file_documents.c.partner, func.count()).where(bad).group_by(file_documents.c.partner))}


def awaiting_acknowledgements(connection: Connection) -> dict[str, tuple[int, str]]:
    """Documents that await their acknowledgement, by partner, and until when the first is due."""
    columns = (file_documents.c.partner, func.count(), func.min(file_documents.c.expected_by))
    statement = select(*columns).where(file_documents.c.acknowledgement == "awaiting").group_by(file_documents.c.partner)
    return {p: (count, due or "") for p, count, due in connection.execute(statement)}


def last_file(connection: Connection, *, partner: str, direction: str) -> Row | None:
    """A partner's newest file in a direction."""
    same = (files.c.partner == partner, files.c.direction == direction)
    columns = (files.c.id, files.c.name, files.c.arrived_at, files.c.outcome)
    return database.row(connection, select(*columns).where(*same).order_by(files.c.id.desc()).limit(1))


def files_since(connection: Connection, since: datetime) -> list[Row]:
    """Files by partner, direction and outcome since an instant."""
    columns = (files.c.partner, files.c.direction, files.c.outcome)
    newer = files.c.arrived_at >= database.instant(since)
    return database.rows(connection, select(*columns, func.count().label("count")).where(newer).group_by(*columns))


def not_received(connection: Connection, *, states: Sequence[str], sent_before: datetime, limit: int) -> list[Row]:
    """RAs that were sent before an instant and have not come, longest first."""
    columns = [c for c in authorizations.c if c.name != "document"]
    late = (authorizations.c.state.in_(states), authorizations.c.sent_at <= database.instant(sent_before))
    return database.rows(connection, select(*columns).where(*late).order_by(authorizations.c.sent_at, authorizations.c.ra).limit(limit))


def value_by_partner(connection: Connection, *, states: Sequence[str], before: datetime, by_sent: bool) -> list[Row]:
    """RAs in a state that were sent (or made) before an instant: count and value by partner and currency."""
    since = authorizations.c.sent_at if by_sent else authorizations.c.created_at
    columns = (authorizations.c.partner, authorizations.c.currency)
    figures = (func.count().label("count"), func.sum(authorizations.c.value_cents).label("cents"), func.min(since).label("oldest"))
    statement = select(*columns, *figures).where(authorizations.c.state.in_(states), since <= database.instant(before))
    return database.rows(connection, statement.group_by(*columns).order_by(*columns))


def not_exported(connection: Connection) -> int:
    """Warehouse and SKU pairs whose stock moved since Shopify was told."""
    newest = select(stock_ledger.c.warehouse, stock_ledger.c.sku, func.max(stock_ledger.c.id).label("newest")).group_by(
        stock_ledger.c.warehouse, stock_ledger.c.sku
    )
    pairs = newest.subquery()
    same = (stock_exports.c.warehouse == pairs.c.warehouse) & (stock_exports.c.sku == pairs.c.sku)
    behind = select(func.count()).select_from(pairs.join(stock_exports, same)).where(stock_exports.c.ledger_id < pairs.c.newest)
    return connection.execute(behind).scalar_one()


def open_alerts(connection: Connection) -> list[Row]:
    """Alerts that are open, newest first."""
    return database.rows(connection, select(alerts).where(alerts.c.open.is_(True)).order_by(alerts.c.last_at.desc()).limit(50))


def newest_event(connection: Connection) -> str:
    """When the last event was."""
    return connection.execute(select(events.c.at).order_by(events.c.id.desc()).limit(1)).scalar() or ""
