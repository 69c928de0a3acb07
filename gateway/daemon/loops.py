"""What the service does all the time, as a table of loops.

A loop is a step that is repeated until the service stops. The step does its own waiting, on an event that a stop also sets (`Service.wait`), so that
none is ever asleep for long. `LOOPS` is every loop of every service: adding one is one line here. `threads` of 0 means: as many as `service.workers`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any

from cronsim import CronSim
from sqlalchemy import Connection

from gateway.daemon.holding import Holding
from gateway.folders import FolderTroubleError
from gateway.jobs import SCHEDULED, intake, reaching
from gateway.jobs.context import Context
from gateway.store import database, events, leases, waking, workqueue
from gateway.worker import Worker, run_alone

LOOK_SECONDS = 0.2
HAIR_SECONDS = 0.002  # so that the look comes after the instant, not just before it
JOBS_AT_ONCE = 3
TROUBLE = "folder trouble"
ENDLESS = frozenset({"wake-up", "serve"})
STUCK_SECONDS = 3600.0  # no step takes so long: its thread hangs


@dataclass(slots=True)
class Service:
    """What the loops share: the context, the periods, and the events that wake them."""

    ctx: Context
    owner: str
    periods: dict[str, float]
    scan_seconds: float
    workers: int
    lease_seconds: float
    holding: Holding
    stopping: threading.Event = field(default_factory=threading.Event)
    work: threading.Event = field(default_factory=threading.Event)
    files: threading.Event = field(default_factory=threading.Event)
    crons: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    _workers: dict[str, Worker] = field(default_factory=dict)
    _beats: dict[str, float] = field(default_factory=dict)

    def beat(self, loop: str) -> None:
        """A loop begins a step."""
        self._beats[loop] = self.ctx.monotonic()

    def stuck(self) -> list[str]:
        """Loops whose step takes longer than any should; the watchdog then starts the service anew. Those that only serve or listen are not judged."""
        now = self.ctx.monotonic()
        return [name for name, began in self._beats.items() if now - began > STUCK_SECONDS and name not in ENDLESS]

    def next_slot(self, job: str, now: datetime) -> datetime:
        """When a job is due after `now`: by its cron expression in the merchant's zone, which neither skips nor doubles a slot at a clock change, or by its
        period (R-178)."""
        expression = self.crons.get(job)
        if not expression:
            return now + timedelta(seconds=self.periods[job])
        found: datetime = next(CronSim(expression, now.astimezone(self.zone)))
        return found.astimezone(UTC)

    def worker(self, name: str) -> Worker:
        """The worker of a thread; it stays the same, so that it knows what it left unsettled."""
        if name not in self._workers:
            self._workers[name] = Worker(ctx=self.ctx, owner=f"{self.owner}/{name}", lease_seconds=self.lease_seconds)
        return self._workers[name]

    def wait(self, event: threading.Event, seconds: float) -> None:
        """Wait for an event, a stop, or some seconds."""
        if not self.stopping.is_set():
            event.wait(seconds)

    def wake(self) -> None:
        """End every wait."""
        self.work.set()
        self.files.set()


def sweep(service: Service) -> None:
    """Take the files that are ready, partner by partner; a partner whose folders are in trouble pauses alone."""
    service.files.clear()
    service.holding.keep()
    if sum(take(service.holding.context(partner), partner) for partner in service.holding.partners()):
        service.work.set()
    service.wait(service.files, _until_next_scan(service))


def _until_next_scan(service: Service) -> float:
    """While a file settles, look often, and at the very instant at which it will have; otherwise wait the scan period."""
    folders, now = service.ctx.folders.values(), service.ctx.monotonic()
    rests = [rest for folder in folders if (rest := folder.settles_in(now=now)) is not None]
    settling = any(folder.waiting_to_settle() for folder in folders)
    return min([service.scan_seconds, *([LOOK_SECONDS] if settling else []), *(rest + HAIR_SECONDS for rest in rests)])


def take(ctx: Context, partner: str) -> int:
    """Take a partner's files; trouble with its folders is an alert that resolves by itself (R-179)."""
    with database.reading(ctx.engine) as connection:
        troubled = events.has_alert(connection, TROUBLE, partner)
    try:
        if troubled:
            ctx.folders[partner].make()
        count = intake.take_files(ctx, partner)
    except FolderTroubleError as error:
        _tell_trouble(ctx, partner, error)
        return 0
    if troubled:
        with database.writing(ctx.engine) as connection:
            events.resolve_alert(connection, TROUBLE, partner, at=ctx.now())
    return count


def make_folders(ctx: Context) -> None:
    """Make every partner's folders; one whose folders are in trouble pauses alone, and keeps nobody from starting."""
    for partner, folders in ctx.folders.items():
        try:
            folders.make()
        except FolderTroubleError as error:
            _tell_trouble(ctx, partner, error)


def _tell_trouble(ctx: Context, partner: str, error: FolderTroubleError) -> None:
    with database.writing(ctx.engine) as connection:
        if not events.has_alert(connection, TROUBLE, partner):
            events.raise_alert(connection, TROUBLE, partner, error.message, at=ctx.now())


def schedule(service: Service) -> None:
    """Run every job whose slot has come; one thread of one process takes a slot, so that a long job keeps no other waiting."""
    for name in list(SCHEDULED):
        if service.stopping.is_set():
            return
        run_due(service, name)
    service.stopping.wait(LOOK_SECONDS)


def reach(service: Service) -> None:
    """Tell people when a service does not answer, and when it does again."""
    reaching.tell(service.ctx)
    service.stopping.wait(LOOK_SECONDS)


def run_due(service: Service, name: str) -> None:
    """Run a job whose slot has come, unless another process takes it."""
    ctx, now = service.ctx, service.ctx.now()
    with database.reading(ctx.engine) as connection:
        if name not in events.due_jobs(connection, now=now):
            return

    def slot(connection: Connection) -> bool:
        return events.take_slot(connection, name, now=now, next_at=service.next_slot(name, now))

    owner = f"{service.owner}/{threading.current_thread().name}"  # a thread's own, or a second one would take the lease for its own
    run_alone(ctx, name, owner=owner, lease_seconds=service.lease_seconds, slot=slot)
    service.work.set()


def plan(service: Service) -> None:
    """Put every scheduled job on the schedule; a slot that was missed while nothing ran is taken at once, and once.

    A process that starts beside others leaves their slots alone.
    """
    now = service.ctx.now()
    with database.writing(service.ctx.engine) as connection:
        for name in SCHEDULED:
            following = service.next_slot(name, now)
            events.plan_job(connection, name, first_at=following if name in service.crons else now, next_at=following)


def work_off(service: Service) -> None:
    """Do what is due, then wait to be woken; a short wait also notices what has become due by time."""
    service.work.clear()
    partners = service.holding.partners()
    with database.reading(service.ctx.engine) as connection:
        due = workqueue.is_due(connection, now=service.ctx.now(), partners=partners)
    if due:
        worker = service.worker(threading.current_thread().name)
        worker.partners = partners
        if worker.run_some(stop=service.stopping.is_set):
            service.work.set()
            return
    service.wait(service.work, LOOK_SECONDS)


def renew(service: Service) -> None:
    """Keep what this process has leased while it lives: work that takes long, jobs that run, partners' folders."""
    service.stopping.wait(service.lease_seconds / 3)
    if service.stopping.is_set():
        return
    now = service.ctx.now()
    with database.writing(service.ctx.engine) as connection:
        workqueue.renew_all(connection, owner_prefix=service.owner, now=now, lease_seconds=service.lease_seconds)
        leases.renew_all(connection, owner_prefix=service.owner, now=now, seconds=service.lease_seconds)
    service.holding.keep()


def listen(service: Service) -> None:
    """Wake the workers when another process has queued work (PostgreSQL tells; on SQLite there is no other)."""
    for _ in waking.listen(service.ctx.engine, stop=service.stopping.is_set):
        service.work.set()
    service.stopping.wait()


def watch(ctx: Context, wake: threading.Event) -> list[Any]:
    """Wake the sweep on file events; where the system offers none, the periodic scan does it alone."""
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer
    from watchdog.observers.polling import PollingObserver

    class Wake(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("created", "moved", "closed", "modified"):
                wake.set()

    _hear_at_once()
    observers: dict[str, Any] = {"events": Observer(), "polling": PollingObserver()}
    for partner, folder in ctx.folders.items():
        watch_by = ctx.profiles[partner].folders.watch
        for inbox in folder.inboxes.values() if watch_by in observers else ():
            _try_watch(ctx, partial(observers[watch_by].schedule, Wake(), str(inbox), recursive=False), str(inbox))
    return [observer for observer in observers.values() if observer.emitters and _try_watch(ctx, observer.start, "every inbox")]


def _hear_at_once() -> None:
    """After a rename (each claim is one) watchdog keeps Linux's events for half a second, to bring its two halves together; we only wake up by them."""
    with contextlib.suppress(ImportError):  # other systems, and watchdog 6, do as they do
        from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

        InotifyMoveEventGrouper.delay = HAIR_SECONDS


def _try_watch(ctx: Context, start: Callable[[], object], what: str) -> bool:
    try:
        start()
    except OSError as fault:
        ctx.log.warning("watch.unavailable", extra={"folder": what, "why": fault.strerror})
        return False
    return True


@dataclass(frozen=True, slots=True)
class Loop:
    """A step that is repeated until the service stops."""

    name: str
    step: Callable[[Service], None]
    threads: int = 1


LOOPS: tuple[Loop, ...] = (
    Loop("sweep", sweep),
    Loop("schedule", schedule, threads=JOBS_AT_ONCE),
    Loop("reach", reach),
    Loop("worker", work_off, threads=0),
    Loop("renewal", renew),
    Loop("wake-up", listen),
)
