"""RAs that stand still: at which step, since when, for how much (requirements R-153)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from gateway.domain.lifecycle import BEFORE_RECEIPT, RaState
from gateway.store import database
from gateway.store.returns import HeldReturn, list_returns
from gateway.store.schema import IS_DELIVERED, authorizations, decisions, events, file_documents, files, returns

Rows = list[dict[str, Any]]
DELIVERED = "parcel.delivered"


def _columns(since: Any) -> Select[Any]:
    named = (authorizations.c.ra, authorizations.c.rma, authorizations.c.partner, authorizations.c.warehouse, authorizations.c.state)
    return select(*named, authorizations.c.value_cents, authorizations.c.currency, since.label("since"))


def _in(states: Iterable[RaState]) -> Any:
    return authorizations.c.state.in_([state.value for state in states])


def _rows(connection: Connection, statement: Select[Any]) -> Rows:
    return database.rows(connection, statement.order_by("since", authorizations.c.ra))


def not_transmitted(connection: Connection, before: datetime) -> Rows:
    """Made, not in the partner's folder."""
    since = authorizations.c.created_at
    states = {RaState.IMPORTED, RaState.QUEUED, RaState.HELD}
    return _rows(connection, _columns(since).where(_in(states), since <= database.instant(before)))


def not_acknowledged(connection: Connection, before: datetime) -> Rows:
    """Sent, the acknowledgement due before now has not come and no goods either."""
    since = func.min(file_documents.c.expected_by)
    statement = _columns(since).join(file_documents, file_documents.c.ra == authorizations.c.ra)
    late = file_documents.c.acknowledgement.in_(["awaiting", "overdue"]) & (file_documents.c.expected_by <= database.instant(before))
    grouped = (authorizations.c.ra, authorizations.c.rma, authorizations.c.partner, authorizations.c.warehouse, authorizations.c.state)
    return _rows(connection, statement.where(_in({RaState.SENT}), late).group_by(*grouped, authorizations.c.value_cents, authorizations.c.currency))


def not_received(connection: Connection, before: datetime) -> Rows:
    """Sent, nothing has come."""
    since = authorizations.c.sent_at
    return _rows(connection, _columns(since).where(_in({RaState.SENT, RaState.ACKNOWLEDGED}), since <= database.instant(before)))


def delivered_not_received(connection: Connection, before: datetime) -> Rows:
    """The carrier has delivered, the partner reports nothing."""
    first = select(func.min(events.c.at)).where(events.c.rma == authorizations.c.rma, IS_DELIVERED).correlate(authorizations).scalar_subquery()
    return _rows(connection, _columns(first).where(_in(BEFORE_RECEIPT), first <= database.instant(before)))


def not_decided(connection: Connection, before: datetime) -> Rows:
    """In full for a while, or in part with its wait over, and undecided."""
    since = func.coalesce(authorizations.c.wait_until, authorizations.c.first_receipt_at)
    received = authorizations.c.first_receipt_at
    partly = (authorizations.c.state == RaState.PARTLY_RECEIVED.value) & (since <= database.instant(before))
    full = (authorizations.c.state == RaState.RECEIVED.value) & (received <= database.instant(before))
    return _rows(connection, _columns(received).where(partly | full))


def not_confirmed(connection: Connection, before: datetime) -> Rows:
    """Decided to process, Loop has not closed it."""
    statement = _columns(decisions.c.decided_at).join(decisions, decisions.c.rma == authorizations.c.rma)
    asked = decisions.c.confirmed_at.is_(None) & decisions.c.verdict.in_(["process", "remove"])
    return _rows(connection, statement.where(asked, _in({RaState.PROCESS_REQUESTED}), decisions.c.decided_at <= database.instant(before)))


def in_review(connection: Connection, before: datetime) -> Rows:
    """Flagged, nobody has reviewed it in Loop."""
    statement = _columns(decisions.c.decided_at).join(decisions, decisions.c.rma == authorizations.c.rma)
    return _rows(connection, statement.where(_in({RaState.FLAGGED}), decisions.c.decided_at <= database.instant(before)))


def refund_missing(connection: Connection, before: datetime) -> Rows:
    """Closed in Loop, its refund has not been imported."""
    since = returns.c.closed_at
    statement = _columns(since).join(returns, returns.c.rma == authorizations.c.rma)
    return _rows(connection, statement.where(_in({RaState.PROCESSED}), since <= database.instant(before)))


def newly_delivered(connection: Connection, *, since: datetime) -> list[HeldReturn]:
    """Returns imported since a time that wait for goods, with a box the carrier has delivered and no event that says so."""
    waiting = select(authorizations.c.ra).where(authorizations.c.rma == returns.c.rma, _in(BEFORE_RECEIPT))
    noted = select(events.c.rma).where(events.c.rma == returns.c.rma, IS_DELIVERED)
    seen = returns.c.document.contains('"status":"delivered"', autoescape=True)
    newest = select(returns.c.rma).where(returns.c.imported_at >= database.instant(since))  # first, or SQLite reads all in the order of their numbers
    return list_returns(connection, returns.c.rma.in_(newest), waiting.exists(), seen, ~noted.exists())


def totals(connection: Connection) -> Rows:
    """RAs by partner, state and currency, counted and valued in cents: from one index, in its order."""
    columns = (authorizations.c.state, authorizations.c.partner, authorizations.c.currency)
    figures = (func.count().label("count"), func.sum(authorizations.c.value_cents).label("cents"))
    return database.rows(connection, select(*columns, *figures).group_by(*columns))


def last_heard(connection: Connection, partner: str) -> str | None:
    """When the last file of a partner came."""
    theirs = (files.c.partner == partner, files.c.direction == "in")
    found: str | None = connection.execute(select(func.max(files.c.arrived_at)).where(*theirs)).scalar()
    return found


def first_sent(connection: Connection, partner: str) -> str | None:
    """When the first file went to a partner."""
    ours = (files.c.partner == partner, files.c.direction == "out", files.c.state == "delivered", files.c.settled_at.is_not(None))
    found: str | None = connection.execute(select(files.c.settled_at).where(*ours).order_by(files.c.arrived_at).limit(1)).scalar()
    return found


def files_between(connection: Connection, start: datetime, end: datetime) -> Rows:
    """Files in and out by partner, direction and outcome, counted."""
    columns = (files.c.partner, files.c.direction, files.c.outcome)
    between = (files.c.arrived_at >= database.instant(start)) & (files.c.arrived_at < database.instant(end))
    partner = func.coalesce(files.c.partner, "")  # as in `overview.files_since`
    return database.rows(connection, select(*columns, func.count().label("count")).where(between).group_by(partner, *columns[1:], files.c.partner))
