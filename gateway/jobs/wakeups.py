"""What makes a scheduled job run before its time: a webhook, or a person. Nothing is taken from what woke it; the job looks for itself."""

from __future__ import annotations

from gateway.jobs.context import Context
from gateway.store import database, events


def wake(ctx: Context, job: str, *, actor: str, reason: str) -> None:
    """Let a scheduled job run as soon as possible."""
    with database.writing(ctx.engine) as connection:
        events.bring_forward(connection, job, now=ctx.now())
    ctx.log.info("job.woken", extra={"job": job, "by": actor, "why": reason})
