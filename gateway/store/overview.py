"""Counts, ages and values over the whole book, each from an index: how many RAs are where, since when, what happened on which day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, func, select

from gateway.store import database
from gateway.store.schema import (
    IS_HELD,
    IS_WAITING,
    alerts,
    authorization_lines,
    authorizations,
    effects,
    events,
    file_documents,
    files,
    receipts,
    refund_lines,
    refunds,
    returns,
    stock_exports,
    stock_ledger,
)

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
    count, oldest = connection.execute(select(func.count(), func.min(returns.c.imported_at)).where(IS_HELD)).one()
    return count, oldest or ""


def unknown_parcels(connection: Connection) -> tuple[int, str]:
    """How many receipts wait for their RA, and since when."""
    count, oldest = connection.execute(select(func.count(), func.min(receipts.c.arrived_at)).where(IS_WAITING)).one()
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
    return database.row(connection, select(*columns).where(*same).order_by(files.c.arrived_at.desc()).limit(1))


def files_since(connection: Connection, since: datetime) -> list[Row]:
    """Files by partner, direction and outcome since an instant."""
    columns = (files.c.partner, files.c.direction, files.c.outcome)
    newer = files.c.arrived_at >= database.instant(since)
    partner = func.coalesce(files.c.partner, "")  # by the bare column SQLite reads every file, in the order of partners
    statement = select(*columns, func.count().label("count")).where(newer)
    return database.rows(connection, statement.group_by(partner, *columns[1:], files.c.partner))


def not_received(connection: Connection, *, states: Sequence[str], sent_before: datetime, limit: int) -> list[Row]:
    """RAs that were sent before an instant and have not come, longest first."""
    columns = [c for c in authorizations.c if c.name != "document"]
    found: list[Row] = []
    for state in states:  # state by state, so that each is read from its index in order and only as far as the limit
        late = (authorizations.c.state == state, authorizations.c.sent_at <= database.instant(sent_before))
        found += database.rows(connection, select(*columns).where(*late).order_by(authorizations.c.sent_at, authorizations.c.ra).limit(limit))
    return sorted(found, key=lambda row: (row["sent_at"], row["ra"]))[:limit]


def value_by_partner(connection: Connection, *, states: Sequence[str], before: datetime, by_sent: bool) -> list[Row]:
    """RAs in a state that were sent (or made) before an instant: state, partner, currency, count, value and the oldest; from one index."""
    since = authorizations.c.sent_at if by_sent else authorizations.c.created_at
    columns = (authorizations.c.state, authorizations.c.partner, authorizations.c.currency)
    figures = (func.count().label("count"), func.sum(authorizations.c.value_cents).label("cents"), func.min(since).label("oldest"))
    statement = select(*columns, *figures).where(authorizations.c.state.in_(states), since <= database.instant(before))
    return database.rows(connection, statement.group_by(*columns))


def came_without_credit(connection: Connection, *, states: Sequence[str], limit: int) -> list[str]:
    """The RMAs of RAs of which something came and whose credit is to be expected by their state, longest first."""
    columns, found = (authorizations.c.first_receipt_at, authorizations.c.rma), list[tuple[str, str]]()
    for state in states:  # state by state, as above
        came = (authorizations.c.state == state, authorizations.c.first_receipt_at.is_not(None))
        statement = select(*columns).where(*came).order_by(authorizations.c.first_receipt_at).limit(limit)
        found += [(str(at), str(rma)) for at, rma in connection.execute(statement)]
    return list(dict.fromkeys(rma for _, rma in sorted(found)[:limit]))


def credited_beyond_receipts(connection: Connection, *, limit: int) -> list[str]:
    """The RMAs with an RA line of which fewer units came than were expected and than were credited."""
    line = authorization_lines.c
    of_return = (refunds.c.rma == authorizations.c.rma, refunds.c.status == "imported", refund_lines.c.sku == line.sku)
    units = select(func.sum(refund_lines.c.imported)).join(refunds, refunds.c.refund_id == refund_lines.c.refund_id).where(*of_return)
    credited = units.correlate(authorization_lines, authorizations).scalar_subquery()
    joined = authorization_lines.join(authorizations, authorizations.c.ra == line.ra)
    short = line.good + line.second < line.expected  # word by word the condition of ix_authorization_lines_short
    statement = select(authorizations.c.rma).select_from(joined).where(short, credited > line.good + line.second).limit(limit)
    return sorted({str(row[0]) for row in connection.execute(statement)})


def was_applied(connection: Connection, partner: str) -> bool:
    """Whether a file of a partner was ever used."""
    used = (files.c.direction == "in", files.c.partner == partner, files.c.outcome == "applied")
    return connection.execute(select(files.c.id).where(*used).limit(1)).first() is not None


def was_acknowledged(connection: Connection, partner: str) -> bool:
    """Whether a partner ever accepted a document."""
    good = (file_documents.c.partner == partner, file_documents.c.acknowledgement.in_(["accepted", "accepted with errors"]))
    return connection.execute(select(file_documents.c.id).where(*good).limit(1)).first() is not None


def not_exported(connection: Connection) -> int:
    """Warehouse and SKU pairs whose stock moved since Shopify was told."""
    same = (stock_ledger.c.warehouse == stock_exports.c.warehouse) & (stock_ledger.c.sku == stock_exports.c.sku)
    newest = select(func.max(stock_ledger.c.id)).where(same).scalar_subquery()
    return connection.execute(select(func.count()).select_from(stock_exports).where(stock_exports.c.ledger_id < newest)).scalar_one()


def effects_by_state(connection: Connection) -> dict[str, int]:
    """How many effects are in each state."""
    return {state: count for state, count in connection.execute(select(effects.c.state, func.count()).group_by(effects.c.state))}


def open_alerts(connection: Connection, *, limit: int | None = 50) -> list[Row]:
    """Alerts that are open, newest first."""
    return database.rows(connection, select(alerts).where(alerts.c.open.is_(True)).order_by(alerts.c.last_at.desc()).limit(limit))


def newest_event(connection: Connection) -> str:
    """When the last event was."""
    return connection.execute(select(events.c.at).order_by(events.c.id.desc()).limit(1)).scalar() or ""
