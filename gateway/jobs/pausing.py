"""Trouble with a folder or disk while work is done: one alert for the partner and what it hit, which resolves by itself (R-179).

The work itself waits in the queue and is tried again; nothing is lost and no other partner waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

from gateway.folders import FolderTroubleError
from gateway.jobs.context import Context
from gateway.store import database, events, files

ALERT = "folder trouble"
Job = Callable[[Context, str], object]
Shared = Callable[[Context, Sequence[str]], list[str]]


def pausing(job: Job, what: str) -> Job:
    """A job on a file that tells of trouble with its folders; `what` is where it works."""

    @wraps(job)
    def done(ctx: Context, key: str) -> object:
        try:
            outcome = job(ctx, key)
        except FolderTroubleError as trouble:
            _tell(ctx, key, what, trouble.message)
            raise
        _tell(ctx, key, what, "")
        return outcome

    return done


def pausing_together(job: Shared) -> Shared:
    """Jobs that share a commit do so while no folder is in trouble; otherwise each is done by itself, and tells."""

    @wraps(job)
    def done(ctx: Context, keys: Sequence[str]) -> list[str]:
        with database.reading(ctx.engine) as connection:
            troubled = events.open_alerts(connection, kind=ALERT)
        return [] if troubled else job(ctx, keys)

    return done


def _tell(ctx: Context, key: str, what: str, trouble: str) -> None:
    with database.reading(ctx.engine) as connection:
        open_alerts = {a["subject"] for a in events.open_alerts(connection, kind=ALERT)}
        file = files.load(connection, int(key)) if trouble or open_alerts else None
    if file is None or (f"{file.partner} {what}" in open_alerts) == bool(trouble):
        return
    subject = f"{file.partner} {what}"
    with database.writing(ctx.engine) as connection:
        if trouble:
            events.raise_alert(connection, ALERT, subject, f"{subject}: {trouble}", at=ctx.now())
        else:
            events.resolve_alert(connection, ALERT, subject, at=ctx.now())
