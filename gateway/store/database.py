"""The one place where SQLite and PostgreSQL differ.

SQLite: WAL, `synchronous=FULL` (a commit survives a power cut), a busy time-out, foreign keys on, and every writing transaction begins with
`BEGIN IMMEDIATE`, so that two writers wait for each other instead of failing half-way. PostgreSQL: row locks with `SKIP LOCKED`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.errors import PermanentError

BUSY_SECONDS = 30
REVISION = "0001"  # the newest in migrations/versions; a book that has it needs no look at Alembic, which takes long to import


class DatabaseAheadError(PermanentError):
    """The database was made by a newer gateway than this one; install that version or restore a backup."""


def connect(url: str) -> Engine:
    """Open the book; makes a missing SQLite file, not its tables (see `migrate`)."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: committed at the end, rolled back on any exception."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One reading transaction: a consistent view that never blocks a writer."""
    with engine.connect().execution_options(reading=True) as connection, connection.begin():
        yield connection


def migrate(engine: Engine) -> None:
    """Bring the tables to this version, in one transaction."""
    if _is_current(engine):
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        current = _revision(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if current and current not in known:
            raise DatabaseAheadError
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise PermanentError(f"the database could not be brought to this version: {error}") from error


def _is_current(engine: Engine) -> bool:
    with engine.connect().execution_options(reading=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == [REVISION]


def _revision(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> int | None:
    """Insert a row unless one with the same unique key is there; its key when inserted, None when not."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    key = next(iter(table.primary_key.columns))
    statement = dialect.insert(table).values(**row).on_conflict_do_nothing().returning(key)
    found = connection.execute(statement).first()
    return None if found is None else found[0]


def put(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row, or replace the one with the same primary key."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    keys = [column.name for column in table.primary_key.columns]
    statement = dialect.insert(table).values(**row)
    rest = {name: value for name, value in row.items() if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest))


def rows(connection: Connection, statement: Any) -> list[dict[str, Any]]:
    """All rows of a select, as dictionaries."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def row(connection: Connection, statement: Any) -> dict[str, Any] | None:
    """The first row of a select, or None."""
    found = connection.execute(statement).mappings().first()
    return None if found is None else dict(found)


def lock_row(connection: Connection, statement: Any) -> Any:
    """A select that keeps its rows locked until the commit; on SQLite the writing transaction already has."""
    return statement.with_for_update() if connection.dialect.name == "postgresql" else statement


def instant(at: datetime) -> str:
    """An instant as the book writes it: UTC, microseconds, sortable as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """The instant a text of the book stands for."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def within(column: Any, start: datetime | None, end: datetime | None) -> list[Any]:
    """The criteria that keep an instant's column in [start, end); an open side is None."""
    found = [column >= instant(start)] if start else []
    return found + ([column < instant(end)] if end else [])


def pack(value: Any) -> str:
    """JSON text with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def check(engine: Engine) -> list[str]:
    """What the database itself finds wrong; empty when sound."""
    with reading(engine) as connection:
        if connection.dialect.name != "sqlite":
            connection.execute(select(1))
            return []
        found = [str(r[0]) for r in connection.exec_driver_sql("PRAGMA integrity_check")]
        keys = [f"{r[0]} row {r[1]} points to a missing row of {r[2]}" for r in connection.exec_driver_sql("PRAGMA foreign_key_check")]
    return [text for text in found if text != "ok"] + keys
