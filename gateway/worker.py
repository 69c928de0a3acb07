"""Claim, run, settle: the one loop that does queued work.

A job that ends is taken from the queue; one that fails for a passing reason goes back with a growing wait; one that fails for a lasting reason becomes a
task and leaves the queue. An unexpected error is a defect of ours: it is logged in full, tried again with the longest wait, and shown as a task.

Everything a job writes is fenced by its claim: a worker that slept through its lease writes nothing more. Finished jobs are taken out in groups, since a
job that is done twice finds its work done.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from gateway.errors import GatewayError, HeldError, PermanentError, TemporaryError
from gateway.jobs import IN_TURN, QUEUED, SCHEDULED, TOGETHER
from gateway.jobs.context import Context, Tally
from gateway.jobs.sharing import SHARED_SECONDS
from gateway.logs import Within
from gateway.store import database, events, leases, workqueue
from gateway.store.database import LeaseLostError
from gateway.store.leases import Lease
from gateway.store.workqueue import Work

InTurn = Callable[[Context, Sequence[str]], Mapping[str, GatewayError | None]]
SETTLE_SECONDS = 1.0
QUIET = frozenset({"Upkeep", "TellPeople", "DailyRecap"})  # they run every minute and mostly find nothing: no line in the log for that


@dataclass(slots=True)
class Worker:
    """One claimer with a name of its own."""

    ctx: Context
    owner: str
    lease_seconds: float = 300.0
    jobs: Mapping[str, Callable[[Context, str], object]] | None = None
    batch: int = 20
    partners: Collection[str] | None = None
    in_turn: Mapping[str, InTurn] | None = None
    _unsettled: bool = False
    _pace: dict[str, float] = field(default_factory=dict)  # seconds for the last job of each kind that was done

    def run_some(self, *, stop: Callable[[], bool] = lambda: False) -> int:
        """Claim a batch and do it; how many jobs were claimed. A stop ends it after the job in hand and gives back the rest."""
        ctx = self.ctx
        with database.writing(ctx.engine) as connection:
            if self._unsettled:
                workqueue.release_all(connection, owner_prefix=self.owner, now=ctx.now())
            self._unsettled = True  # until all of this batch is settled, whatever happens
            claimed = workqueue.claim(
                connection, owner=self.owner, now=ctx.now(), lease_seconds=self.lease_seconds, limit=self.batch, partners=self.partners
            )
        done: list[Work] = []
        since = ctx.monotonic()
        waiting, alone = list(claimed), set[Work]()
        while waiting and (len(waiting) == len(claimed) or not stop()):
            left = self._run_next(waiting, alone)
            done += [work for work, finished in left.items() if finished]
            waiting = [work for work in waiting if work not in left]
            if ctx.monotonic() - since > SETTLE_SECONDS:
                self._settle(done)
                done, since = [], ctx.monotonic()
        self._settle(done)
        self._unsettled = stop()
        return len(claimed)

    def drain(self, *, stop: Callable[[], bool] = lambda: False) -> int:
        """Do everything that is due, and what it causes; how many jobs were done."""
        done = 0
        while not stop() and (count := self.run_some(stop=stop)):
            done += count
        return done

    def run(self, work: Work) -> bool:
        """Do one job; True when it is done and only has to be taken out of the queue."""
        log = Within(self.ctx.log, {"job": work.job, "key": work.key})  # type: ignore[arg-type]  # an adapter of an adapter is one
        ctx = replace(self.ctx, engine=database.guarded(self.ctx.engine, workqueue.guard(work)), log=log)
        try:
            (self.jobs or QUEUED)[work.job](ctx, work.key)
        except LeaseLostError:
            ctx.log.info("job.lost", extra={"job": work.job, "key": work.key, "why": "its lease ran out and another process took it"})
        except (TemporaryError, HeldError) as error:
            self._put_off(work, error)
        except PermanentError as error:
            self._give_up(work, error)
        except Exception as error:
            ctx.log.exception("job.defect", extra={"job": work.job, "key": work.key})
            self._postpone(work, GatewayError(f"unexpected: {error!r}"), ctx.timing.longest_retry, defect=True)
        else:
            return True
        return False

    def _run_next(self, waiting: Sequence[Work], alone: set[Work]) -> dict[Work, bool]:
        """Do the next job, or several; those that have left the batch, and whether they are done. None has when several could not be done together."""
        works = self._alike(waiting, alone)
        if len(works) > 1:
            finished = self._run_together(works)
            alone.update([] if finished else works)
            return dict.fromkeys(finished, True)
        works = self._quick(waiting, alone)
        if len(works) > 1:
            return self._run_in_turn(works, alone)
        began = self.ctx.monotonic()
        finished_one = self.run(waiting[0])
        if finished_one:
            self._pace[waiting[0].job] = self.ctx.monotonic() - began
        return {waiting[0]: finished_one}

    @property
    def _turns(self) -> Mapping[str, InTurn]:
        """The jobs that share their commits in turn; of jobs handed in only those that are named."""
        if self.in_turn is None:
            return IN_TURN if self.jobs is None else {}
        return self.in_turn

    def _quick(self, waiting: Sequence[Work], alone: Collection[Work]) -> list[Work]:
        """The next job, with those like it that share its commits: as many as the pace of the last one allows, so that slow ones are done each alone."""
        job = waiting[0].job
        if job not in self._turns:
            return []
        count = int(SHARED_SECONDS / max(self._pace.get(job, SHARED_SECONDS), 0.001))
        alike = (work for work in waiting if work.job == job)
        return list(itertools.takewhile(lambda work: work not in alone, alike))[:count]

    def _run_in_turn(self, works: Sequence[Work], alone: set[Work]) -> dict[Work, bool]:
        """Do the first of these jobs with shared commits; those that were taken, and whether each is done. After any trouble each is done alone."""
        job, keys, began = works[0].job, [work.key for work in works], self.ctx.monotonic()
        log = Within(self.ctx.log, {"job": job})  # type: ignore[arg-type]  # as below
        came_to: Mapping[str, GatewayError | None] = {}
        try:
            ctx = replace(self.ctx, engine=database.guarded(self.ctx.engine, workqueue.guard_all(works)), log=log)
            came_to = self._turns[job](ctx, keys)
            alone.add(works[0])
        except GatewayError as error:
            alone.update(works)
            self.ctx.log.info("jobs.apart", extra={"job": job, "keys": keys, "why": error.message})
        except Exception:
            alone.update(works)
            self.ctx.log.exception("jobs.apart", extra={"job": job, "keys": keys})
        for work in works:
            if trouble := came_to.get(work.key):
                self._put_off(work, trouble)
        if came_to:
            self._pace[job] = (self.ctx.monotonic() - began) / len(came_to)
        return {work: came_to[work.key] is None for work in works if work.key in came_to}

    def _alike(self, waiting: Sequence[Work], alone: Collection[Work]) -> list[Work]:
        """The next job, with all that may share its commits (on SQLite, where nobody else can write meanwhile)."""
        first = waiting[0]
        if self.jobs is not None or first.job not in TOGETHER or first in alone or self.ctx.engine.dialect.name != "sqlite":
            return [first]
        return [work for work in waiting if work.job == first.job and work not in alone]

    def _run_together(self, works: Sequence[Work]) -> list[Work]:
        """Do jobs that share their commits; those that are done. After any trouble none is, and each is done alone, where its own trouble is told."""
        job, keys = works[0].job, [work.key for work in works]
        log = Within(self.ctx.log, {"job": job})  # type: ignore[arg-type]  # as below
        try:
            done = set(TOGETHER[job](replace(self.ctx, engine=database.guarded(self.ctx.engine, workqueue.guard_all(works)), log=log), keys))
        except GatewayError as error:
            self.ctx.log.info("jobs.apart", extra={"job": job, "keys": keys, "why": error.message})
            return []
        except Exception:
            self.ctx.log.exception("jobs.apart", extra={"job": job, "keys": keys})
            return []
        return [work for work in works if work.key in done]

    def _settle(self, done: list[Work]) -> None:
        if not done:
            return
        with database.writing(self.ctx.engine) as connection:
            workqueue.settle_all(connection, done, now=self.ctx.now())
            for work in done:
                if work.attempts > 1:
                    events.close_tasks(connection, kind="defect", subject=f"{work.job} {work.key}", because="done", at=self.ctx.now())

    def _back_off(self, work: Work) -> float:
        """Growing waits: first, doubled each time, up to the longest."""
        return float(min(self.ctx.timing.first_retry * 2 ** min(work.attempts - 1, 20), self.ctx.timing.longest_retry))

    def _put_off(self, work: Work, error: GatewayError) -> None:
        """Put a job back after trouble that passes, or that somebody mends."""
        delay = error.delay if isinstance(error, TemporaryError) else self.ctx.timing.longest_retry
        self._postpone(work, error, delay if delay is not None else self._back_off(work))

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


def run_alone(
    ctx: Context,
    name: str,
    *,
    owner: str,
    lease_seconds: float = 300.0,
    scope: Mapping[str, object] | None = None,
    slot: Callable[[Connection], bool] = lambda _: True,
) -> Tally:
    """Run a scheduled job while no other process runs it; when one does, that is a skip with its name. `slot` takes its slot in the same transaction."""
    tally = Tally()
    with database.writing(ctx.engine) as connection:
        if not slot(connection):
            tally.skip(name, "its slot was taken by another process")
            return tally
        lease = leases.take(connection, f"job {name}", owner=owner, now=ctx.now(), seconds=lease_seconds)
        if lease is None:
            tally.skip(name, f"{leases.holders(connection).get(f'job {name}', 'another process')} is running it now")
            return tally
        run_id = _start(ctx, connection, name, scope or {})
    try:
        return _carry_out(replace(ctx, engine=database.guarded(ctx.engine, leases.guard(lease))), name, scope or {}, run_id, lease)
    except BaseException:
        with database.writing(ctx.engine) as connection:
            leases.give_back(connection, lease)
        raise


def run_job(ctx: Context, name: str, **scope: object) -> Tally:
    """Run a scheduled job once and record the run with its counts and the reason of every skip and failure (R-009)."""
    with database.writing(ctx.engine) as connection:
        run_id = _start(ctx, connection, name, scope)
    return _carry_out(ctx, name, scope, run_id, None)


def _start(ctx: Context, connection: Connection, name: str, scope: Mapping[str, object]) -> int:
    described = " ".join(f"{key}={value}" for key, value in scope.items() if value is not None)
    return events.start_run(connection, name, scope=described, at=ctx.now())


def _carry_out(ctx: Context, name: str, scope: Mapping[str, object], run_id: int, lease: Lease | None) -> Tally:
    tally, trouble = Tally(), ""
    try:
        tally = SCHEDULED[name](replace(ctx, log=Within(ctx.log, {"job": name, "run": run_id})), **scope)  # type: ignore[arg-type]  # as above
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
        if lease is not None:
            leases.give_back(connection, lease)
    if name not in QUIET or trouble:
        ctx.log.info("job.ran", extra={"job": name, "run": run_id, **tally.counts, "trouble": trouble})
    return tally
