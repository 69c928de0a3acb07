"""What the service does all the time, as a table of loops.

A loop is a step that is repeated until the service stops. The step does its own waiting, on an event that a stop also sets (`Service.wait`), so that
none is ever asleep for long. `LOOPS` is every loop of every service: adding one is one line here. `threads` of 0 means: as many as `service.workers`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gateway.folders import FolderTroubleError
from gateway.jobs import SCHEDULED, intake
from gateway.jobs.context import Context
from gateway.store import database, events, workqueue
from gateway.worker import Worker, run_job

LOOK_SECONDS = 0.2


@dataclass(slots=True)
class Service:
    """What the loops share: the context, the periods, and the events that wake them."""

    ctx: Context
    owner: str
    periods: dict[str, float]
    scan_seconds: float
    workers: int
    lease_seconds: float
    stopping: threading.Event = field(default_factory=threading.Event)
    work: threading.Event = field(default_factory=threading.Event)
    files: threading.Event = field(default_factory=threading.Event)

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
    if sum(take(service.ctx, partner) for partner in service.ctx.folders):
        service.work.set()
    service.wait(service.files, _until_next_scan(service))


def _until_next_scan(service: Service) -> float:
    """While a file settles, look often; otherwise wait the scan period."""
    settling = any(folder.waiting_to_settle() for folder in service.ctx.folders.values())
    return min(LOOK_SECONDS, service.scan_seconds) if settling else service.scan_seconds


def take(ctx: Context, partner: str) -> int:
    """Take a partner's files; trouble with its folders is an alert that resolves by itself (R-179)."""
    try:
        count = intake.take_files(ctx, partner)
    except FolderTroubleError as error:
        with database.writing(ctx.engine) as connection:
            events.raise_alert(connection, "folder trouble", partner, error.message, at=ctx.now())
        return 0
    with database.reading(ctx.engine) as connection:
        troubled = events.has_alert(connection, "folder trouble", partner)
    if troubled:
        with database.writing(ctx.engine) as connection:
            events.resolve_alert(connection, "folder trouble", partner, at=ctx.now())
    return count


def schedule(service: Service) -> None:
    """Run every job whose slot has come; one process takes a slot."""
    for name in list(SCHEDULED):
        if service.stopping.is_set():
            return
        if _take_slot(service, name):
            run_job(service.ctx, name)
            service.work.set()
    service.stopping.wait(LOOK_SECONDS)


def _take_slot(service: Service, name: str) -> bool:
    now = service.ctx.now()
    with database.reading(service.ctx.engine) as connection:
        if name not in events.due_jobs(connection, now=now):
            return False
    with database.writing(service.ctx.engine) as connection:
        return events.take_slot(connection, name, now=now, next_at=now + timedelta(seconds=service.periods[name]))


def plan(ctx: Context) -> None:
    """Put every scheduled job on the schedule."""
    with database.writing(ctx.engine) as connection:
        for name in SCHEDULED:
            events.plan_job(connection, name, due_at=ctx.now())


def work_off(service: Service) -> None:
    """Do what is due, then wait to be woken; a short wait also notices what has become due by time."""
    service.work.clear()
    with database.reading(service.ctx.engine) as connection:
        due = workqueue.is_due(connection, now=service.ctx.now())
    if due:
        worker = Worker(ctx=service.ctx, owner=f"{service.owner}/{threading.current_thread().name}", lease_seconds=service.lease_seconds)
        if worker.drain(stop=service.stopping.is_set):
            service.work.set()
            return
    service.wait(service.work, LOOK_SECONDS)


def watch(ctx: Context, wake: threading.Event) -> list[Any]:
    """Wake the sweep on file events; where the system offers none, the periodic scan does it alone."""
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    class Wake(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("created", "moved", "closed", "modified"):
                wake.set()

    observer = Observer()
    for folder in ctx.folders.values():
        for inbox in folder.inboxes.values():
            try:
                observer.schedule(Wake(), str(inbox), recursive=False)
            except OSError as fault:
                ctx.log.warning("watch.unavailable", extra={"folder": str(inbox), "why": fault.strerror})
    try:
        observer.start()
    except OSError as fault:
        ctx.log.warning("watch.unavailable", extra={"why": fault.strerror})
        return []
    return [observer]


@dataclass(frozen=True, slots=True)
class Loop:
    """A step that is repeated until the service stops."""

    name: str
    step: Callable[[Service], None]
    threads: int = 1


LOOPS: tuple[Loop, ...] = (
    Loop("sweep", sweep),
    Loop("schedule", schedule),
    Loop("worker", work_off, threads=0),
)
