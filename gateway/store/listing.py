"""Lists for people, a page at a time: newest first by key, never by offset, so that the last page costs no more than the first.

`Page.after` is the key to ask for what follows; empty at the end. Filters that are None do not filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, literal, or_, select

from gateway.store import database
from gateway.store.schema import (
    IS_HELD,
    IS_WAITING,
    authorizations,
    credit_invoices,
    events,
    exchange_orders,
    file_documents,
    files,
    job_runs,
    receipts,
    refunds,
    returns,
    stock_ledger,
    tasks,
)

PAGE = 50
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows, and the key of the next page."""

    rows: list[Row]
    after: str = ""


def _page(connection: Connection, statement: Select[Any], keys: tuple[Any, ...], after: str, *, oldest_first: bool = False) -> Page:
    """A page ordered by one or two keys; `after` is their values, joined by a tab (a SKU and a warehouse may have blanks)."""
    if after:
        statement = statement.where(_beyond(keys, after.split("\t", len(keys) - 1), oldest_first=oldest_first))
    ordered = statement.order_by(*(key.asc() if oldest_first else key.desc() for key in keys))
    found = database.rows(connection, ordered.limit(PAGE + 1))
    more = len(found) > PAGE
    last = found[PAGE - 1] if more else {}
    return Page(rows=found[:PAGE], after="\t".join(str(last[key.name]) for key in keys) if more else "")


def _merged(connection: Connection, statements: Sequence[Select[Any]], keys: tuple[Any, ...], after: str, *, oldest_first: bool = False) -> Page:
    """A page of several lists together, each read from its own stretch of an index and no further than a page."""
    pages = [_page(connection, statement, keys, after, oldest_first=oldest_first) for statement in statements]
    rows = sorted((row for page in pages for row in page.rows), key=lambda row: [row[key.name] for key in keys], reverse=not oldest_first)
    more = len(rows) > PAGE or any(page.after for page in pages)
    return Page(rows=rows[:PAGE], after="\t".join(str(rows[PAGE - 1][key.name]) for key in keys) if more else "")


def _beyond(keys: tuple[Any, ...], values: list[str], *, oldest_first: bool) -> Any:
    typed = [int(value) if key.type.python_type is int else value for key, value in zip(keys, values, strict=True)]
    first = keys[0] > typed[0] if oldest_first else keys[0] < typed[0]
    if len(keys) == 1:
        return first
    second = keys[1] > typed[1] if oldest_first else keys[1] < typed[1]
    return or_(first, and_(keys[0] == typed[0], second))


def _where(statement: Select[Any], wanted: Mapping[Any, Any]) -> Select[Any]:
    return statement.where(*(column == value for column, value in wanted.items() if value is not None))


def list_authorizations(connection: Connection, *, states: tuple[str, ...], partner: str | None = None, after: str = "") -> Page:
    """RAs in a state, oldest first."""
    columns = [c for c in authorizations.c if c.name != "document"]
    statement = _where(select(*columns), {authorizations.c.partner: partner})
    each = [statement.where(authorizations.c.state == state) for state in states]
    return _merged(connection, each, (authorizations.c.created_at, authorizations.c.ra), after, oldest_first=True)


def list_held(connection: Connection, *, after: str = "") -> Page:
    """Returns that wait for a mapping, by number."""
    statement = select(returns.c.rma, returns.c.order_name, returns.c.state, returns.c.hold, returns.c.imported_at).where(IS_HELD)
    return _page(connection, statement, (returns.c.rma,), after, oldest_first=True)


def list_files(
    connection: Connection, *, direction: str | None = None, partner: str | None = None, outcome: str | None = None, after: str = ""
) -> Page:
    """Files, newest first, without their content; `marks` says how many documents there are and how they were acknowledged."""
    columns = [c for c in files.c if c.name not in ("content", "side_text")]
    statement = _where(select(*columns), {files.c.partner: partner})
    each = [statement.where(*one) for one in _kinds(connection, direction, outcome, of_one=partner is not None)]
    page = _merged(connection, each, (files.c.id,), after)
    marks = _marks(connection, [row["id"] for row in page.rows])
    return Page(rows=[row | {"marks": marks.get(row["id"], [])} for row in page.rows], after=page.after)


def _kinds(connection: Connection, direction: str | None, outcome: str | None, *, of_one: bool) -> list[tuple[Any, ...]]:
    """The criteria of each stretch of an index that files are read from: all of them (only `of_one` partner: by direction and outcome)."""
    if not of_one and outcome is None:
        return [() if direction is None else (files.c.direction == direction,)]
    ways = [direction] if direction else ["in", "out"]
    outcomes = [outcome] if outcome is not None else _outcomes(connection)
    return [(files.c.direction == way, files.c.outcome == word) for way in ways for word in outcomes]


def _outcomes(connection: Connection) -> list[str]:
    """Every outcome that a file had: from one to the next in the index."""
    found: set[str] = set()
    for way in ("in", "out"):
        last, place = "", select(func.min(files.c.outcome)).where(files.c.direction == way)
        found.add(last)
        while (word := connection.execute(place.where(files.c.outcome > last)).scalar()) is not None:
            found.add(last := str(word))
    return sorted(found)


def _marks(connection: Connection, ids: list[int]) -> dict[int, list[Row]]:
    """The documents of files, counted by kind and marks."""
    d = file_documents.c
    columns = (d.file_id, d.document, d.validation, d.acknowledgement)
    found: dict[int, list[Row]] = {}
    for row in database.rows(connection, select(*columns, func.count().label("count")).where(d.file_id.in_(ids)).group_by(*columns)):
        found.setdefault(row["file_id"], []).append(row)
    return found


def list_refunds(connection: Connection, *, status: str | None = None, refund_id: str | None = None, after: str = "") -> Page:
    """Refunds, last seen first, with their credit invoice's settlements."""
    columns = [c for c in refunds.c if c.name != "document"]
    joined = refunds.outerjoin(credit_invoices, credit_invoices.c.refund_id == refunds.c.refund_id)
    statement = _where(
        select(*columns, credit_invoices.c.settlements).select_from(joined), {refunds.c.status: status, refunds.c.refund_id: refund_id}
    )
    return _page(connection, statement, (refunds.c.seen_at, refunds.c.refund_id), after)


def list_orders(connection: Connection, *, open_only: bool = False, after: str = "") -> Page:
    """Exchange orders, newest number first; `open_only`: those whose A/R is not zero."""
    statement = select(exchange_orders)
    if open_only:
        statement = statement.where(exchange_orders.c.ar != "0.00")
    return _page(connection, statement, (exchange_orders.c.order_id,), after)


def list_movements(connection: Connection, *, warehouse: str | None = None, sku: str | None = None, after: str = "") -> Page:
    """The stock ledger, newest first."""
    statement = _where(select(stock_ledger), {stock_ledger.c.warehouse: warehouse, stock_ledger.c.sku: sku})
    return _page(connection, statement, (stock_ledger.c.id,), after)


def list_balances(connection: Connection, *, warehouse: str | None = None, sku: str | None = None, after: str = "") -> Page:
    """The balance of each warehouse and SKU, in their order: only the movements of those that are shown are added up, from the index alone."""
    place = (stock_ledger.c.warehouse, stock_ledger.c.sku)
    statement = _where(select(*place, func.sum(stock_ledger.c.quantity).label("units")), dict(zip(place, (warehouse, sku), strict=True)))
    return _page(connection, statement.group_by(*place), place, after, oldest_first=True)


def list_warehouses(connection: Connection) -> list[str]:
    """Every warehouse of the ledger: from one to the next in the index, not from movement to movement."""
    found: list[str] = []
    place = stock_ledger.c.warehouse
    while warehouse := connection.execute(select(func.min(place)).where(place > (found[-1] if found else ""))).scalar():
        found.append(str(warehouse))
    return found


def list_runs(connection: Connection, *, job: str | None = None, after: str = "") -> Page:
    """Runs of jobs, newest first."""
    return _page(connection, _where(select(job_runs), {job_runs.c.job: job}), (job_runs.c.id,), after)


def list_events(connection: Connection, *, actors: Sequence[str] | None = None, after: str = "") -> Page:
    """The audit log, newest first; all, or what some actors did (each one's newest from its own stretch of the index)."""
    if actors is None:
        return _page(connection, select(events), (events.c.id,), after)
    return _merged(connection, [select(events).where(events.c.actor == actor) for actor in actors], (events.c.id,), after)


def list_actors(connection: Connection) -> list[str]:
    """Everyone who ever did something: from actor to actor in the index, not from event to event."""
    found: list[str] = []
    while actor := connection.execute(select(func.min(events.c.actor)).where(events.c.actor > (found[-1] if found else ""))).scalar():
        found.append(str(actor))
    return found


def list_waiting_receipts(connection: Connection, *, after: str = "") -> Page:
    """Receipts whose RA is not known, oldest first."""
    statement = select(receipts.c.id).where(IS_WAITING)
    return _page(connection, statement, (receipts.c.id,), after, oldest_first=True)


def load_task(connection: Connection, task_id: int) -> Row | None:
    """A work item."""
    return database.row(connection, select(tasks).where(tasks.c.id == task_id))


def _value_of(rma: Any) -> Any:
    """What an RMA's RAs are worth, in cents."""
    return select(func.coalesce(func.sum(authorizations.c.value_cents), 0)).where(authorizations.c.rma == rma).scalar_subquery()


def _currency_of(rma: Any) -> Any:
    """The currency of an RMA's RAs; an RMA has one order and so one currency."""
    return select(func.max(authorizations.c.currency)).where(authorizations.c.rma == rma).scalar_subquery()


def list_work(connection: Connection, *, kind: str | None = None, owner: str | None = None, by_value: bool = False, limit: int = 200) -> list[Row]:
    """Open work items with the value behind them, oldest or most valuable first."""
    wanted = _where(select(tasks).where(tasks.c.open.is_(True)), {tasks.c.kind: kind, tasks.c.owner: owner})
    if not by_value:  # then the value is looked up for the few that are shown, not for all
        wanted = wanted.order_by(tasks.c.opened_at, tasks.c.id).limit(limit)
    chosen = wanted.subquery()
    value = case((chosen.c.rma.is_(None), literal(0)), else_=_value_of(chosen.c.rma)).label("cents")
    statement = select(chosen, value, _currency_of(chosen.c.rma).label("currency"))
    order = (value.desc(), chosen.c.opened_at) if by_value else (chosen.c.opened_at, chosen.c.id)
    return database.rows(connection, statement.order_by(*order).limit(limit))


def count_work(connection: Connection) -> dict[str, int]:
    """Open work items by kind."""
    statement = select(tasks.c.kind, func.count()).where(tasks.c.open.is_(True)).group_by(tasks.c.kind).order_by(func.count().desc())
    return {kind: count for kind, count in connection.execute(statement)}
