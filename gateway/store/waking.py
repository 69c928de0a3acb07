"""Being told that work was queued: LISTEN on PostgreSQL. The tellings are hints; what is due is found by looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from gateway.store import database

LOOK_SECONDS = 1.0


def listen(engine: Engine, *, stop: Callable[[], bool]) -> Iterator[None]:
    """Yields whenever some process has committed new work, until stopped; nothing on SQLite. Raises BookTroubleError when the connection is lost."""
    if engine.dialect.name != "postgresql":
        return
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"LISTEN {database.WAKE}")
            driver = connection.connection.driver_connection
            while not stop():
                for _ in driver.notifies(timeout=LOOK_SECONDS, stop_after=1):  # type: ignore[union-attr]  # psycopg's own connection
                    yield
            connection.exec_driver_sql(f"UNLISTEN {database.WAKE}")
    except DBAPIError as error:
        raise database.BookTroubleError(f"the database stopped telling of new work: {database.passing(error) or error}") from error
