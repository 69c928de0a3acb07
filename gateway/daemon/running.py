"""Running the loops until a stop, and one pass of everything for schedulers.

Each loop survives its own errors and stops no other. A stop finishes what is in hand: no new work is claimed, the loops are joined, leases are given
back. What serves people and machines (pages, webhooks, health) is handed in as `serve`: it runs in a thread of its own, is started again when it fails,
and has to return soon after `stopping` is set.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from gateway.daemon import notify
from gateway.daemon.holding import Holding
from gateway.daemon.loops import LOOK_SECONDS, LOOPS, STUCK_SECONDS, Loop, Service, plan, take, watch
from gateway.daemon.syncing import sync_all, sync_once
from gateway.errors import GatewayError, TemporaryError
from gateway.jobs import SCHEDULED, reaching
from gateway.jobs.context import Context, Tally
from gateway.store import database, leases, workqueue
from gateway.worker import Worker, run_alone

STOP_SECONDS = 20.0
LONGEST_PAUSE = 60.0
LEASE_SECONDS = 300.0


class StoppingError(TemporaryError):
    """The service is stopping; what waited is taken up again at the next start."""


def run(service: Service, tell_ready: Callable[[bool], None], *, serve: Callable[[threading.Event], None] | None = None) -> None:
    """Run every loop until stopped."""
    ctx, stopping = service.ctx, service.stopping
    plan(service)
    threads = list(_threads(service, serve))
    observers = watch(ctx, service.files)
    for thread in threads:
        thread.start()
    tell_ready(True)
    notify.tell("READY=1")
    ctx.log.info("gateway.ready", extra={"owner": service.owner})
    while not stopping.wait(notify.interval()):
        if stuck := service.stuck():
            ctx.log.error("loop.stuck", extra={"loops": stuck, "seconds": STUCK_SECONDS})
        else:
            notify.tell("WATCHDOG=1")
    notify.tell("STOPPING=1")
    tell_ready(False)
    for observer in observers:
        observer.stop()
    service.wake()
    deadline = ctx.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(deadline - ctx.monotonic(), 0.1))
    give_back(ctx, owner=service.owner)
    ctx.log.info("gateway.stopped", extra={"owner": service.owner})


def _threads(service: Service, serve: Callable[[threading.Event], None] | None) -> Iterator[threading.Thread]:
    for loop in (*LOOPS, Loop("sftp", sync_all)):
        for number in range(loop.threads or service.workers):
            name = f"{loop.name}-{number:02}" if loop.threads != 1 else loop.name
            yield threading.Thread(target=repeat, args=(service, lambda step=loop.step: step(service)), name=name, daemon=True)
    if serve is not None:
        yield threading.Thread(target=repeat, args=(service, lambda: serve(service.stopping)), name="serve", daemon=True)


def repeat(service: Service, once: Callable[[], None]) -> None:
    """Repeat a step until stopped; an error in it is logged and waited out, longer each time, and stops no other loop."""
    pause = 1.0
    while not service.stopping.is_set():
        service.beat(threading.current_thread().name)
        try:
            once()
            pause = 1.0
        except GatewayError as error:
            service.ctx.log.warning("loop.trouble", extra={"loop": threading.current_thread().name, "why": error.message})
            service.stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        except Exception:
            service.ctx.log.exception("loop.defect", extra={"loop": threading.current_thread().name})
            service.stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def give_back(ctx: Context, *, owner: str) -> None:
    """Free everything this process has leased, so that nobody waits for it."""
    with database.writing(ctx.engine) as connection:
        workqueue.release_all(connection, owner_prefix=owner, now=ctx.now())
        leases.release_all(connection, owner_prefix=owner)


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


def drain(ctx: Context, *, owner: str) -> None:
    """Do what is queued, as far as no other process holds it."""
    holding = Holding(ctx=ctx, owner=owner, seconds=LEASE_SECONDS, names=tuple(ctx.folders))
    holding.keep()
    Worker(ctx=ctx, owner=owner, partners=holding.partners()).drain()
    give_back(ctx, owner=owner)


def run_once(ctx: Context, *, owner: str, stopping: threading.Event, lease_seconds: float = LEASE_SECONDS) -> list[tuple[str, Tally]]:
    """One pass of everything, for schedulers: files in, every job once, everything queued, files in once more."""
    holding = Holding(ctx=ctx, owner=owner, seconds=lease_seconds, names=tuple(ctx.folders))
    holding.keep()
    worker = Worker(ctx=ctx, owner=owner, lease_seconds=lease_seconds, partners=holding.partners())
    ran: list[tuple[str, Tally]] = []
    settle = max((folder.settle_seconds for folder in ctx.folders.values()), default=0.0)
    sync_once(ctx, owner=owner, partners=holding.partners(), stopping=stopping)
    _settle_and_take(holding, worker, settle, stopping)
    for name in SCHEDULED:
        if stopping.is_set():
            break
        ran.append((name, run_alone(ctx, name, owner=owner, lease_seconds=lease_seconds)))
        worker.drain(stop=stopping.is_set)
    sync_once(ctx, owner=owner, partners=holding.partners(), stopping=stopping)
    worker.drain(stop=stopping.is_set)
    reaching.tell(ctx)
    give_back(ctx, owner=owner)
    return ran


def _settle_and_take(holding: Holding, worker: Worker, settle: float, stopping: threading.Event) -> None:
    """Look at the inboxes until what lies there has kept still for the settle period."""
    folders = worker.ctx.folders
    end = time.monotonic() + settle + LOOK_SECONDS
    while not stopping.is_set():
        took = sum(take(holding.context(partner), partner) for partner in holding.partners())
        worker.drain(stop=stopping.is_set)
        if took:
            continue  # a partner's limits let only some through at a time
        if time.monotonic() >= end or not any(folders[name].waiting_to_settle() for name in holding.partners()):
            return
        stopping.wait(LOOK_SECONDS)
