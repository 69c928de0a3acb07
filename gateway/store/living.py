"""Connections of PostgreSQL's pool that are asked whether they live only where there is doubt.

Asking is a wait for the server, as long as a statement. A connection that was used a moment ago is taken as it is, unless something lies there to be read:
a server that ends a connection says so, and closes it, and both are seen without asking. What a network drops silently is found by asking after a pause.
"""

from __future__ import annotations

import select
import time
from functools import partial
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

PAUSE_SECONDS = 2.0
BACK_AT = "back_at"


def watch(engine: Engine, *, pause_seconds: float = PAUSE_SECONDS) -> None:
    """Replace a dead connection before it is lent, with every other one of its time, so that work does not notice a restart of the server."""
    event.listen(engine, "checkin", _came_back)
    event.listen(engine, "checkout", partial(_look, engine.dialect, pause_seconds))


def _came_back(_connection: object, record: Any) -> None:
    record.info[BACK_AT] = time.monotonic()


def _look(dialect: Any, pause_seconds: float, connection: Any, record: Any, _lent: object) -> None:
    back_at = record.info.get(BACK_AT)
    if back_at is None or (time.monotonic() - back_at < pause_seconds and not _speaks(connection)):
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _speaks(connection: Any) -> bool:
    """Whether the other end has said something unasked (its last words, or its end), or the connection is closed here."""
    if connection.closed:
        return True
    number = connection.fileno()
    if not hasattr(select, "poll"):
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
