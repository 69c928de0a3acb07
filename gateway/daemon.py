"""The running service: one lock, a few supervised loops, a clean stop.

Loops: the sweep takes files (watchdog's events wake it, but the periodic scan is the truth), the schedule runs jobs whose time has come, workers do what is
queued. Each loop survives its own errors. A stop finishes what is in hand: no new work is claimed, the loops are joined, leases are given back.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import IO, Any

from gateway.errors import GatewayError, PermanentError, TemporaryError
from gateway.folders import FolderTroubleError
from gateway.jobs import SCHEDULED, intake
from gateway.jobs.context import Context, Tally
from gateway.store import database, events, workqueue
from gateway.worker import Worker, run_job

STOP_SECONDS = 20.0
LOOK_SECONDS = 0.2


class StoppingError(TemporaryError):
    """The service is stopping; what waited is taken up again at the next start."""


class LockedError(PermanentError):
    """Another instance runs on this data folder."""


@contextmanager
def locked(folder: Path, owner: str) -> Iterator[Callable[[bool], None]]:
    """Hold the data folder's lock; yields a function that tells others whether we are ready. The system drops the lock when the process dies (R-171)."""
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / "gateway.running.json"
    with (folder / "gateway.lock").open("a+b") as stream:
        if not _try_lock(stream):
            raise LockedError(
                f"another gateway runs on {folder}: {holder(folder) or 'its holder is starting'}. Stop it first, or use another data folder"
            )

        def tell(ready: bool) -> None:
            temporary = card.with_suffix(".tmp")
            temporary.write_text(json.dumps({"owner": owner, "pid": os.getpid(), "ready": ready}), encoding="utf-8")
            temporary.replace(card)

        tell(False)
        try:
            yield tell
        finally:
            card.unlink(missing_ok=True)


def _try_lock(stream: IO[bytes]) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def holder(folder: Path) -> str:
    """Who holds the lock, in words; empty when nobody says so."""
    card = read_card(folder)
    return f"process {card['pid']} ({card['owner']})" if card else ""


def read_card(folder: Path) -> dict[str, Any]:
    """What the running instance says of itself."""
    try:
        loaded: dict[str, Any] = json.loads((folder / "gateway.running.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded


def is_running(folder: Path) -> bool:
    """Whether an instance holds the lock and is ready."""
    lock = folder / "gateway.lock"
    if not lock.exists():
        return False
    with lock.open("a+b") as stream:
        if _try_lock(stream):
            return False
    return bool(read_card(folder).get("ready"))


@dataclass(slots=True)
class Daemon:
    """The loops of one process."""

    ctx: Context
    owner: str
    periods: dict[str, float]
    scan_seconds: float
    workers: int
    lease_seconds: float
    stopping: threading.Event = field(default_factory=threading.Event)
    work: threading.Event = field(default_factory=threading.Event)
    files: threading.Event = field(default_factory=threading.Event)

    def run(self, tell_ready: Callable[[bool], None]) -> None:
        """Run until stopped."""
        plan(self.ctx)
        loops = [
            threading.Thread(target=self._loop, args=(self.sweep,), name="sweep"),
            threading.Thread(target=self._loop, args=(self.schedule,), name="schedule"),
        ]
        for number in range(self.workers):
            worker = Worker(ctx=self.ctx, owner=f"{self.owner}/{number}", lease_seconds=self.lease_seconds)
            loops.append(threading.Thread(target=self._loop, args=(lambda w=worker: self.work_off(w),), name=f"worker-{number}"))
        observers = watch(self.ctx, self.files)
        for loop in loops:
            loop.start()
        tell_ready(True)
        self.ctx.log.info("gateway.ready", extra={"owner": self.owner})
        self.stopping.wait()
        tell_ready(False)
        for observer in observers:
            observer.stop()
        self.work.set()
        self.files.set()
        deadline = self.ctx.monotonic() + STOP_SECONDS
        for loop in loops:
            loop.join(max(deadline - self.ctx.monotonic(), 0.1))
        with database.writing(self.ctx.engine) as connection:
            workqueue.release_all(connection, owner_prefix=self.owner, now=self.ctx.now())
        self.ctx.log.info("gateway.stopped", extra={"owner": self.owner})

    def _loop(self, once: Callable[[], None]) -> None:
        """Repeat a step until stopped; an error in it is logged and waited out, and stops no other loop."""
        while not self.stopping.is_set():
            try:
                once()
            except GatewayError as error:
                self.ctx.log.warning("loop.trouble", extra={"loop": threading.current_thread().name, "why": error.message})
                self.stopping.wait(1.0)
            except Exception:
                self.ctx.log.exception("loop.defect", extra={"loop": threading.current_thread().name})
                self.stopping.wait(1.0)

    def sweep(self) -> None:
        """Take the files that are ready, partner by partner; a partner whose folders are in trouble pauses alone."""
        self.files.clear()
        if sum(take(self.ctx, partner) for partner in self.ctx.folders):
            self.work.set()
        self.files.wait(self._scan())

    def _scan(self) -> float:
        """Until a settling file may be ready, look often; otherwise wait the scan period."""
        settling = any(folder.waiting_to_settle() for folder in self.ctx.folders.values())
        return min(LOOK_SECONDS, self.scan_seconds) if settling else self.scan_seconds

    def schedule(self) -> None:
        """Run every job whose slot has come; one process takes a slot."""
        for name in list(SCHEDULED):
            if self.stopping.is_set():
                return
            now = self.ctx.now()
            with database.reading(self.ctx.engine) as connection:
                due = name in events.due_jobs(connection, now=now)
            if not due:
                continue
            with database.writing(self.ctx.engine) as connection:
                mine = events.take_slot(connection, name, now=now, next_at=now + timedelta(seconds=self.periods[name]))
            if mine:
                run_job(self.ctx, name)
                self.work.set()
        self.stopping.wait(LOOK_SECONDS)

    def work_off(self, worker: Worker) -> None:
        """Do what is due, then wait to be woken; a short wait also notices what has become due by time."""
        self.work.clear()
        with database.reading(self.ctx.engine) as connection:
            due = workqueue.is_due(connection, now=self.ctx.now())
        if due and worker.drain(stop=self.stopping.is_set):
            self.work.set()
            return
        self.work.wait(LOOK_SECONDS)


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


def plan(ctx: Context) -> None:
    """Put every scheduled job on the schedule."""
    with database.writing(ctx.engine) as connection:
        for name in SCHEDULED:
            events.plan_job(connection, name, due_at=ctx.now())


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


def sleeper(stopping: threading.Event) -> Callable[[float], None]:
    """A sleep that a stop ends at once."""

    def sleep(seconds: float) -> None:
        if stopping.wait(seconds):
            raise StoppingError

    return sleep


def stop_on_signals(stopping: threading.Event) -> None:
    """SIGTERM, SIGINT (and Ctrl-Break on Windows) ask for a clean stop."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), ask)


def run_once(ctx: Context, *, owner: str, stopping: threading.Event) -> list[tuple[str, Tally]]:
    """One pass of everything, for schedulers: files in, every job once, everything queued, files in once more."""
    worker = Worker(ctx=ctx, owner=owner)
    ran: list[tuple[str, Tally]] = []
    settle = max((folder.settle_seconds for folder in ctx.folders.values()), default=0.0)
    _settle_and_take(ctx, worker, settle, stopping)
    for name in SCHEDULED:
        if stopping.is_set():
            break
        ran.append((name, run_job(ctx, name)))
        worker.drain(stop=stopping.is_set)
    return ran


def _settle_and_take(ctx: Context, worker: Worker, settle: float, stopping: threading.Event) -> None:
    """Look at the inboxes until what lies there has kept still for the settle period."""
    end = time.monotonic() + settle + LOOK_SECONDS
    while not stopping.is_set():
        for partner in ctx.folders:
            take(ctx, partner)
        worker.drain(stop=stopping.is_set)
        if time.monotonic() >= end or not any(folder.waiting_to_settle() for folder in ctx.folders.values()):
            return
        stopping.wait(LOOK_SECONDS)
