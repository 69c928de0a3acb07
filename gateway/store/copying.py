"""The whole book carried from one database into another, and proven there: for backups, restores, and the way from SQLite to PostgreSQL.

The source is read in one snapshot, the target written in one transaction. Proof is by table: as many rows, and the same digest over all of them in the
order of their keys; and the chain of seals unbroken with the same last link.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, LargeBinary, Table, func, select, text

from gateway.errors import PermanentError
from gateway.store import audit, database
from gateway.store.schema import control_numbers, metadata

BATCH = 1000


class UnequalCopyError(PermanentError):
    """The copy is not what the source is; nothing was kept."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a table holds: how many rows, and the digest over them."""

    rows: int
    digest: str


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One view of the book as it is at this moment, while others go on writing."""
    options = {"reading": True} | ({"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {})
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def copy_book(source: Engine, target: Engine) -> dict[str, Proof]:
    """Copy every table into an empty book and prove it; what each table holds. Raises UsedDatabaseError, UnequalCopyError."""
    database.require_empty(target)
    database.migrate(target)
    with snapshot(source) as old, database.writing(target) as new:
        before = {table.name: _copy_table(old, new, table) for table in metadata.sorted_tables}
        _go_on_counting(new)
        after = {table.name: prove(new, table) for table in metadata.sorted_tables}
        wrong = [f"{name}: {before[name].rows} rows here, {after[name].rows} there" for name in before if before[name] != after[name]]
        if wrong:
            raise UnequalCopyError("the copy is not what the source is: " + "; ".join(wrong) + ". Nothing was kept")
        _same_chain(old, new)
    return after


def _copy_table(old: Connection, new: Connection, table: Table) -> Proof:
    digest, count = hashlib.sha256(), 0
    for batch in _batches(old, table):
        new.execute(table.insert(), batch)
        count += len(batch)
        for row in batch:
            _add(digest, row, table)
    return Proof(count, digest.hexdigest())


def prove(connection: Connection, table: Table) -> Proof:
    """What a table holds."""
    digest, count = hashlib.sha256(), 0
    for batch in _batches(connection, table):
        count += len(batch)
        for row in batch:
            _add(digest, row, table)
    return Proof(count, digest.hexdigest())


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    keys = list(table.primary_key.columns)
    found = connection.execution_options(yield_per=BATCH).execute(select(table).order_by(*(_bytewise(connection, key) for key in keys)))
    for part in found.mappings().partitions():
        yield [dict(row) for row in part]


def _bytewise(connection: Connection, key: Any) -> Any:
    """The same order on both databases, whatever the language of the server."""
    is_text = connection.dialect.name == "postgresql" and key.type.python_type is str
    return key.collate("C") if is_text else key


def _add(digest: Any, row: dict[str, Any], table: Table) -> None:
    plain = {
        column.name: hashlib.sha256(row[column.name]).hexdigest() if isinstance(column.type, LargeBinary) and row[column.name] else row[column.name]
        for column in table.columns
    }
    digest.update(database.pack(plain).encode())


def _go_on_counting(connection: Connection) -> None:
    """Let PostgreSQL's own counters go on after the highest number that was copied."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        key = next(iter(table.primary_key.columns))
        if key.autoincrement is True:
            highest = select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
            connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, key.name), highest, text("false"))))


def _same_chain(old: Connection, new: Connection) -> None:
    ends = [audit.kept(connection, audit.HEAD) for connection in (old, new)]
    broken = next(iter(audit.find_broken(new)), "")
    if broken or ends[0] != ends[1]:
        raise UnequalCopyError(f"the chain of seals does not hold in the copy: {broken or 'its end differs'}. Nothing was kept")


def copy_file(source: Engine, path: Path) -> None:
    """Copy a SQLite book into a file while it is in use (SQLite's online backup), and check the copy."""
    raw = source.raw_connection()
    try:
        with sqlite3.connect(path) as target:
            raw.driver_connection.backup(target, pages=2000)  # type: ignore[union-attr]  # sqlite3's own connection
            found = target.execute("PRAGMA integrity_check").fetchone()[0]
        target.close()
    finally:
        raw.close()
    if found != "ok":
        raise UnequalCopyError(f"the copy {path} is not sound: {found}")


def counts(engine: Engine) -> dict[str, int]:
    """How many rows each table has."""
    with snapshot(engine) as connection:
        return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in metadata.sorted_tables}


def jump_numbers(engine: Engine, by: int) -> None:
    """Skip control numbers, so that none is used twice that was used after a backup was made."""
    with database.writing(engine) as connection:
        connection.execute(control_numbers.update().values(last=control_numbers.c.last + by))
