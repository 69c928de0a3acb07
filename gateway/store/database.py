"""The one place where SQLite and PostgreSQL differ.

SQLite: WAL, `synchronous=FULL` (a commit survives a power cut), a busy time-out, foreign keys on, and every writing transaction begins with
`BEGIN IMMEDIATE`, so that two writers wait for each other instead of failing half-way. PostgreSQL: row locks with `SKIP LOCKED`, `NOTIFY` at the commit
that queued work, and a limit on idle transactions, so that a machine that stops in the middle of one holds nobody up for long.

Fencing: an engine that was `guarded` checks, first thing in every writing transaction, that a lease is still held, and keeps its row locked until the
commit. Whoever lost the lease writes nothing, however long it slept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    LargeBinary,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    column,
    create_engine,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.engine import NestedTransaction
from sqlalchemy.exc import DBAPIError

from gateway.errors import PermanentError, TemporaryError
from gateway.store import later, living

BUSY_SECONDS = 30
IDLE_SECONDS = 300.0
MIGRATING = 5_200_944  # the advisory lock of whoever brings the tables forward
WAKE = "gateway_work"  # the channel on which PostgreSQL tells that work was queued
# SQLite's result codes (the low byte) and PostgreSQL's classes of SQLSTATE for what passes by itself
PASSING_SQLITE = {5: "busy", 6: "locked", 7: "out of memory", 8: "read-only", 10: "disk error", 13: "disk full", 14: "cannot be opened"}
PASSING_POSTGRES = frozenset({"08", "40", "53", "55", "57", "58"})
REVISION = "0001"  # the newest in migrations/versions; a book that has it needs no look at Alembic, which takes long to import


class Guard(NamedTuple):
    """A statement, made once, that with these values finds its row while a lease is held."""

    statement: Select[Any]
    values: Mapping[str, object]


class DatabaseAheadError(PermanentError):
    """The database was made by a newer gateway than this one; install that version or restore a backup."""


class LeaseLostError(TemporaryError):
    """The lease ran out and another process took the work; nothing was written."""


class BookTroubleError(TemporaryError):
    """The database cannot be reached or written just now; nothing of the transaction was kept."""


def connect(url: str, *, idle_seconds: float = IDLE_SECONDS) -> Engine:
    """Open the book; makes a missing SQLite file, not its tables (see `migrate`).

    A transaction that does nothing for `idle_seconds` is ended by PostgreSQL: its process was stopped or cut off, and must hold nobody up for longer
    than its lease.
    """
    if not url.startswith("sqlite"):
        engine = create_engine(url, pool_size=10, max_overflow=20, hide_parameters=True)
        event.listen(engine, "connect", partial(_set_up_postgres, idle_seconds))
        living.watch(engine)
        later.watch(engine)
        return engine
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    later.watch(engine)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_up_postgres(idle_seconds: float, connection: Any, _record: object) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = '{idle_seconds * 1000:.0f}ms'")
    connection.commit()


def _begin_immediate(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: committed at the end, rolled back on any exception.

    On an engine that is `shared` it is a part of the one transaction there, undone alone. Raises LeaseLostError when the engine is guarded and the lease is
    gone, BookTroubleError for trouble of the database that passes.
    """
    shared = engine.get_execution_options().get("shared")
    if shared is not None:
        with _passing_trouble(), _part_of(shared):
            yield shared
        return
    with _passing_trouble(), engine.begin() as connection:
        guard = engine.get_execution_options().get("guard")
        if guard is not None and connection.execute(lock_row(connection, guard.statement), guard.values).first() is None:
            raise LeaseLostError
        yield connection
        later.write(connection)
        if connection.info.pop("wake", False) and connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"NOTIFY {WAKE}")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One reading transaction: a consistent view that never blocks a writer; on an engine that is `shared` it sees what was written there."""
    shared = engine.get_execution_options().get("shared")
    if shared is not None:
        yield shared
        return
    with _passing_trouble(), engine.connect().execution_options(reading=True) as connection, connection.begin():
        yield connection


@contextmanager
def _part_of(connection: Connection) -> Iterator[None]:
    """A part of a transaction, kept or undone with every part inside it, also those that an exception left open."""
    part = connection.begin_nested()
    try:
        yield
    except BaseException:
        _end_inside(connection, part, NestedTransaction.rollback)
        raise
    _end_inside(connection, part, NestedTransaction.commit)


def _end_inside(connection: Connection, part: NestedTransaction, end: Callable[[NestedTransaction], None]) -> None:
    while (inner := connection.get_nested_transaction()) is not None:
        end(inner)
        if inner is part:
            return


@contextmanager
def shared(engine: Engine) -> Iterator[Engine]:
    """The same book, with all that is written through it in one transaction: kept whole at the end, or not at all."""
    with writing(engine) as connection:
        yield engine.execution_options(shared=connection)


def guarded(engine: Engine, guard: Guard) -> Engine:
    """The same book, written only while the lease is held."""
    return engine.execution_options(guard=guard)


@contextmanager
def _passing_trouble() -> Iterator[None]:
    """Trouble of the database that passes by itself, as a temporary error in words; a defect stays what it is."""
    try:
        yield
    except DBAPIError as error:
        why = passing(error)
        if why is None:
            raise
        raise BookTroubleError(f"the database: {why}; tried again by itself", delay=0.2 if why in ("busy", "deadlock") else None) from error


def passing(error: DBAPIError) -> str | None:
    """Why an error of the database passes by itself; None when it does not."""
    if error.connection_invalidated:
        return "the connection was lost"
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return PASSING_SQLITE.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", "")
    if state is None:  # psycopg could not connect at all
        return str(error.orig).strip().partition("\n")[0]
    if state.startswith("40"):
        return "deadlock"
    return str(error.orig).strip().partition("\n")[0] if state[:2] in PASSING_POSTGRES or state == "25P03" else None


def migrate(engine: Engine, *, keep_in: Path | None = None) -> None:
    """Bring the tables to this version, in one transaction; a SQLite book that has an older one is copied into `keep_in` first."""
    if is_current(engine):
        return
    if keep_in is not None and engine.dialect.name == "sqlite":
        keep_before(engine, keep_in)
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")
        current = _revision(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if current and current not in known:
            raise DatabaseAheadError
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise PermanentError(f"the database could not be brought to this version: {error}") from error


def keep_before(engine: Engine, folder: Path) -> Path | None:
    """Copy a book of an older version beside itself before it is changed; None when there is none yet. On PostgreSQL whoever upgrades has a backup made."""
    from gateway.store import copying

    with engine.connect().execution_options(reading=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"gateway.db.before-{version}-to-{REVISION}"
    if not kept.exists():
        copying.copy_file(engine, kept)
    return kept


def is_current(engine: Engine) -> bool:
    """Whether the tables are of this version."""
    with engine.connect().execution_options(reading=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == [REVISION]


def _revision(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _statements(dialect: str) -> Any:
    """The statements of the database in use; the other dialect is not imported, which takes a tenth of a second."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql
    from sqlalchemy.dialects import sqlite

    return sqlite


class UsedDatabaseError(PermanentError):
    """The database holds tables already; name an empty one, so that nothing of yours is touched."""


def require_empty(engine: Engine) -> None:
    """Refuse a database that has tables."""
    with engine.connect() as connection:
        if inspect(connection).get_table_names():
            raise UsedDatabaseError


def clear(engine: Engine) -> None:
    """Take every table of the book out of a database that is only for trying."""
    from gateway.store.schema import metadata

    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> int | None:
    """Insert a row unless one with the same unique key is there; its key when inserted, None when not."""
    found = connection.execute(_insertion(connection.dialect.name, table), dict(row)).first()
    return None if found is None else found[0]


def insert_all_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, returning: tuple[str, ...] = ()) -> Sequence[Any]:
    """Insert the rows, all of the same columns, whose unique keys are not there; the named columns of those that were inserted, in no order."""
    if not rows:
        return ()
    dialect, given = connection.dialect.name, tuple(rows[0])
    as_text = dialect == "postgresql" and not any(isinstance(table.c[name].type, LargeBinary) for name in given)
    if as_text:  # one value instead of thousands, each of which costs the driver as much as the server
        done = connection.execute(_insertion_of_text(table, given, returning), {"rows": pack(rows)})
    else:
        done = connection.execute(_insertion_of_many(dialect, table, returning), list(rows))
    return done.all() if returning else ()


@cache
def _insertion_of_many(dialect: str, table: Table, returning: tuple[str, ...]) -> Any:
    statement = _statements(dialect).insert(table).on_conflict_do_nothing()
    return statement.returning(*(table.c[name] for name in returning)) if returning else statement


@cache
def _insertion_of_text(table: Table, given: tuple[str, ...], returning: tuple[str, ...]) -> Any:
    """The same on PostgreSQL, the rows being one JSON text."""
    told = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
    read = told.table_valued(*(column(name, table.c[name].type) for name in given)).render_derived(with_types=True)
    found = select(*(read.c[name] for name in given))
    statement = _statements("postgresql").insert(table).from_select(list(given), found).on_conflict_do_nothing()
    return statement.returning(*(table.c[name] for name in returning)) if returning else statement


@cache
def _insertion(dialect: str, table: Table) -> Any:
    """The statement of `insert_new`, made once for a table: making it costs as much as running it."""
    key = next(iter(table.primary_key.columns))
    return _statements(dialect).insert(table).on_conflict_do_nothing().returning(key)


def count_on(connection: Connection, table: Table, row: Mapping[str, Any]) -> int:
    """The `last` of a row raised by one, or the row put in as given when there is none with its key; in one statement, that locks it until the commit."""
    return int(connection.execute(_counting(connection.dialect.name, table), dict(row)).scalar_one())


def count_all_on(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, by: str) -> dict[str, int]:
    """The same for several rows of different keys, in one statement: each `last` by the column that tells them apart."""
    found = connection.execute(_counting(connection.dialect.name, table, (by,)), list(rows))
    return {key: int(last) for last, key in found}


@cache
def _counting(dialect: str, table: Table, also: tuple[str, ...] = ()) -> Any:
    insertion = _statements(dialect).insert(table)
    raised = insertion.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_={"last": table.c.last + 1})
    return raised.returning(table.c.last, *(table.c[name] for name in also))


def put(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row, or replace the one with the same primary key."""
    connection.execute(_replacement(connection.dialect.name, table, tuple(row)), dict(row))


@cache
def _replacement(dialect: str, table: Table, names: tuple[str, ...]) -> Any:
    insertion = _statements(dialect).insert(table)
    keys = [column.name for column in table.primary_key.columns]
    rest = {name: insertion.excluded[name] for name in names if name not in keys}
    return insertion.on_conflict_do_update(index_elements=keys, set_=rest)


def rows(connection: Connection, statement: Any) -> list[dict[str, Any]]:
    """All rows of a select, as dictionaries."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def server_time(connection: Connection) -> datetime | None:
    """What the database server's own clock shows; None where the book is a file of this machine."""
    if connection.dialect.name != "postgresql":
        return None
    shown: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return shown.astimezone(UTC)


def row(connection: Connection, statement: Any) -> dict[str, Any] | None:
    """The first row of a select, or None."""
    found = connection.execute(statement).mappings().first()
    return None if found is None else dict(found)


def lock_row(connection: Connection, statement: Any) -> Any:
    """A select that keeps its rows locked until the commit; on SQLite the writing transaction already has, and a reading one locks nothing."""
    locks = connection.dialect.name == "postgresql" and not connection.get_execution_options().get("reading")
    return _locking(statement) if locks else statement


_LOCKING: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()  # a statement that is made once is also changed once


def _locking(statement: Any) -> Any:
    found = _LOCKING.get(statement)
    if found is None:
        found = _LOCKING[statement] = statement.with_for_update()
    return found


def lock_free_rows(connection: Connection, statement: Any) -> Any:
    """The same, passing over rows that another transaction holds."""
    return statement.with_for_update(skip_locked=True) if connection.dialect.name == "postgresql" else statement


def instant(at: datetime) -> str:
    """An instant as the book writes it: UTC, microseconds, sortable as text."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(timespec="microseconds")[:-6] + "Z"  # quicker than strftime


def moment(text: str) -> datetime:
    """The instant a text of the book stands for."""
    return datetime.fromisoformat(text)


def within(column: Any, start: datetime | None, end: datetime | None) -> list[Any]:
    """The criteria that keep an instant's column in [start, end); an open side is None."""
    found = [column >= instant(start)] if start else []
    return found + ([column < instant(end)] if end else [])


_packed = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode


def pack(value: Any) -> str:
    """JSON text with sorted keys."""
    return _packed(value)


def check(engine: Engine) -> list[str]:
    """What the database itself finds wrong; empty when sound."""
    with reading(engine) as connection:
        if connection.dialect.name != "sqlite":
            connection.execute(select(1))
            return []
        found = [str(r[0]) for r in connection.exec_driver_sql("PRAGMA integrity_check")]
        keys = [f"{r[0]} row {r[1]} points to a missing row of {r[2]}" for r in connection.exec_driver_sql("PRAGMA foreign_key_check")]
    return [text for text in found if text != "ok"] + keys
