"""Claim, run, settle: the one loop that does queued work.

A job that ends is taken from the queue; one that fails for a passing reason goes back with a growing wait; one that fails for a lasting reason becomes a
task and leaves the queue. An unexpected error is a defect of ours: it is logged in full, tried again with the longest wait, and shown as a task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.errors import GatewayError, HeldError, PermanentError, TemporaryError
from gateway.jobs import QUEUED, SCHEDULED
from gateway.jobs.context import Context, Tally
from gateway.store import database, events, workqueue
from gateway.store.workqueue import Work


@dataclass(slots=True)
class Worker:
    """One claimer with a name of its own."""

    ctx: Context
    owner: str
    lease_seconds: float = 300.0
    jobs: Mapping[str, Callable[[Context, str], object]] | None = None
    batch: int = 20

    def run_some(self) -> int:
        """Claim a batch and do it; how many jobs were claimed."""
        with database.writing(self.ctx.engine) as connection:
            claimed = workqueue.claim(connection, owner=self.owner, now=self.ctx.now(), lease_seconds=self.lease_seconds, limit=self.batch)
        for work in claimed:
            self.run(work)
        return len(claimed)

    def drain(self, *, stop: Callable[[], bool] = lambda: False) -> int:
        """Do everything that is due, and what it causes; how many jobs were done."""
        done = 0
        while not stop() and (count := self.run_some()):
            done += count
        return done

    def run(self, work: Work) -> None:
        """Do one job and settle it."""
        ctx = self.ctx
        try:
            (self.jobs or QUEUED)[work.job](ctx, work.key)
        except (TemporaryError, HeldError) as error:
            delay = error.delay if isinstance(error, TemporaryError) else ctx.timing.longest_retry
            self._postpone(work, error, delay if delay is not None else self._back_off(work))
        except PermanentError as error:
            self._give_up(work, error)
        except Exception as error:
            ctx.log.exception("job.defect", extra={"job": work.job, "key": work.key})
            self._postpone(work, GatewayError(f"unexpected: {error!r}"), ctx.timing.longest_retry, defect=True)
        else:
            with database.writing(ctx.engine) as connection:
                workqueue.settle(connection, work, now=ctx.now())
                events.close_tasks(connection, kind="defect", subject=f"{work.job} {work.key}", because="done", at=ctx.now())

    def _back_off(self, work: Work) -> float:
        """Growing waits: first, doubled each time, up to the longest."""
        return float(min(self.ctx.timing.first_retry * 2 ** min(work.attempts - 1, 20), self.ctx.timing.longest_retry))

    def _postpone(self, work: Work, error: GatewayError, delay: float, *, defect: bool = False) -> None:
        ctx = self.ctx
        with database.writing(ctx.engine) as connection:
            workqueue.postpone(connection, work, due_at=ctx.soon(delay), trouble=error.message)
            if defect:
                text = f"{work.job} {work.key} failed unexpectedly: {error.message}. It is tried again"
                events.open_task(
                    connection, "defect", f"{work.job} {work.key}", text, at=ctx.now(), advice="send the log to whoever runs the gateway"
                )
        ctx.log.info("job.postponed", extra={"job": work.job, "key": work.key, "delay": round(delay, 1), "why": error.message})

    def _give_up(self, work: Work, error: PermanentError) -> None:
        ctx = self.ctx
        with database.writing(ctx.engine) as connection:
            text = f"{work.job} {work.key}: {error.message}"
            events.open_task(
                connection, "failed step", f"{work.job} {work.key}", text, at=ctx.now(), advice=f"`gateway retry {work.job}:{work.key}` tries again"
            )
            workqueue.settle(connection, work, now=ctx.now())
        ctx.log.warning("job.failed", extra={"job": work.job, "key": work.key, "why": error.message})


def run_job(ctx: Context, name: str, **scope: object) -> Tally:
    """Run a scheduled job once and record the run with its counts and the reason of every skip and failure (R-009)."""
    described = " ".join(f"{key}={value}" for key, value in scope.items() if value is not None)
    with database.writing(ctx.engine) as connection:
        run_id = events.start_run(connection, name, scope=described, at=ctx.now())
    tally, trouble = Tally(), ""
    try:
        tally = SCHEDULED[name](ctx, **scope)
    except GatewayError as error:
        trouble = error.message
        tally.failed += 1
        tally.reasons.append(error.message)
    with database.writing(ctx.engine) as connection:
        events.end_run(connection, run_id, counts=tally.counts, reasons=tally.reasons[:500], trouble=trouble, at=ctx.now())
        if trouble:
            events.raise_alert(connection, "job failed", name, f"{name}: {trouble}", at=ctx.now())
        else:
            events.resolve_alert(connection, "job failed", name, at=ctx.now())
            events.succeed(connection, name, at=ctx.now())
    if name != "Upkeep" or trouble:
        ctx.log.info("job.ran", extra={"job": name, **tally.counts, "trouble": trouble})
    return tally
