"""Rows that are only ever added, written together: one statement for many of them instead of one each.

They are written before the commit, before a savepoint (so that undoing a part undoes just its own), and before any statement that names their table, so that
whoever reads in the same transaction finds them. A rollback forgets them with the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, Table, event

WAITING = "rows added later"
MOST_WAITING = 500  # of one table; a file of any size is read in the memory of these


def watch(engine: Engine) -> None:
    """Have the waiting rows of each of the engine's connections written in time."""
    event.listen(engine, "begin", _forget)
    event.listen(engine, "savepoint", _before_savepoint)
    event.listen(engine, "before_cursor_execute", _before_statement)
    event.listen(engine, "commit", write)
    event.listen(engine, "rollback", _forget)
    event.listen(engine, "rollback_savepoint", _after_undoing)


def add(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Add a row to a table; every row of a table has the same columns."""
    rows = connection.info.setdefault(WAITING, {}).setdefault(table, [])
    rows.append(row)
    if len(rows) >= MOST_WAITING:
        write(connection)


def write(connection: Connection) -> None:
    """Write the rows that wait."""
    for table, rows in connection.info.pop(WAITING, {}).items():
        connection.execute(table.insert(), rows)


def _before_savepoint(connection: Connection, _name: str) -> None:
    write(connection)


def _before_statement(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
    waiting = connection.info.get(WAITING)
    if waiting and any(table.name in statement for table in waiting):
        write(connection)


def _forget(connection: Connection) -> None:
    connection.info.pop(WAITING, None)


def _after_undoing(connection: Connection, _name: str, _context: object) -> None:
    _forget(connection)
