"""A gateway that dies, or is let down by its system, at a chosen point: a process that forks one child for each pass.

Points are counted through everything whose order matters: before and after each commit, each call that leaves, each rename and each flush. Forking from a
warm process makes a pass cheap; the child has no threads, opens its own database connection, and does exactly what `gateway run-once` does.

One line of JSON in: {"order": an `Order`, "environment": what the pass shall find}; one line out: {"points": how many were passed, "calls": how many of each kind were made,
"died": bool, "failed": bool, "error": words}.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gateway import bootstrap, config
from gateway.clients.session import Session
from gateway.daemon import loops, running
from gateway.edi import dictionary
from gateway.edi.x12 import DEFAULT
from gateway.folders import durable, exchange, packing, partner

CALLS = ("fsync", "write", "rename", "open")
CODES = {"fsync": errno.EIO, "write": errno.ENOSPC, "rename": errno.EACCES, "open": errno.EMFILE}
GROWTH = 8192  # bytes that the largest file may still grow by when the disk is "full"


@dataclass(frozen=True, slots=True)
class Order:
    """What shall happen to a pass: die at a point or after some milliseconds, or have the n-th call of a kind fail, or find the disk full."""

    die_at: int | None = None
    die_after_ms: float | None = None
    fail: str = ""
    fail_at: int = 0
    full: bool = False


class Points:
    """Counts points and dies at one of them; makes calls fail."""

    def __init__(self, order: Order, report: int) -> None:
        self.order = order
        self.report = report
        self.passed = 0
        self.calls = dict.fromkeys(CALLS, 0)
        self.failed = False

    def reach(self) -> None:
        """One point."""
        self.passed += 1
        if self.passed == self.order.die_at:
            self.tell(died=True, failed=False)
            os.kill(os.getpid(), signal.SIGKILL)

    def tell(self, *, died: bool, failed: bool, error: str = "") -> None:
        """Say how far it came."""
        os.write(self.report, json.dumps({"points": self.passed, "calls": self.calls, "died": died, "failed": failed, "error": error}).encode())

    def around(self, call: Callable[..., Any], kind: str = "") -> Callable[..., Any]:
        """The same call with a point before and after it, failing when it is the chosen one of its kind."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.reach()
            self.maybe_fail(kind)
            result = call(*args, **kwargs)
            self.reach()
            return result

        return counted

    def maybe_fail(self, kind: str) -> None:
        """Count a call, and fail when it is the chosen one."""
        if not kind:
            return
        self.calls[kind] += 1
        if kind == self.order.fail and self.calls[kind] == self.order.fail_at:
            self.failed = True
            raise OSError(CODES[kind], os.strerror(CODES[kind]))


def one_pass(points: Points) -> None:
    """Open the workspace and do one pass, with points in place."""
    workspace = config.load()
    engine = bootstrap.open_book(workspace)
    ctx = bootstrap.make_context(workspace, engine)
    bootstrap.take_back(workspace, ctx)
    loops.make_folders(ctx)
    interpose(points, engine)
    if points.order.full:
        fill(workspace.var)
    if points.order.die_after_ms is not None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, points.order.die_after_ms / 1000)
    running.run_once(ctx, owner=bootstrap.owner_name(workspace), stopping=threading.Event())
    engine.dispose()


def interpose(points: Points, engine: Engine) -> None:
    """Put the points where order matters; only in a child that is about to end."""
    engine.dialect.do_commit = points.around(engine.dialect.do_commit)  # type: ignore[method-assign]
    Session.send = points.around(Session.send)  # type: ignore[method-assign]
    os.rename = points.around(os.rename, "rename")
    os.replace = points.around(os.replace, "rename")
    os.fsync = points.around(os.fsync, "fsync")
    renamed = points.around(durable.rename_new)
    for module in (durable, partner, packing, exchange):
        module.rename_new = renamed  # type: ignore[attr-defined]  # each has it by name
    plain = durable._rename_noreplace  # the system call below `rename_new`, so that its error is put into words as a real one is

    def rename_counted(source: Path, target: Path) -> bool:
        points.maybe_fail("rename")
        return plain(source, target)

    durable._rename_noreplace = rename_counted
    opened = Path.open

    def open_counted(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        points.maybe_fail("open")
        if "w" in mode:
            points.maybe_fail("write")
        return opened(path, mode, *args, **kwargs)

    Path.open = open_counted  # type: ignore[method-assign,assignment]


def fill(var: Path) -> None:
    """No file may grow by more than a little from here on: what a full disk or a quota looks like from inside."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    largest = max((path.stat().st_size for path in var.glob("gateway.db*")), default=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + GROWTH, resource.RLIM_INFINITY))


def warm_up() -> None:
    """Import and compile once, before any fork, what a pass would otherwise pay for each time."""
    import alembic.command
    import alembic.runtime.migration
    import alembic.script  # noqa: F401 - imported for the forks

    for set_id in ("856", "944", "997"):
        dictionary.check_set([], set_id, "004010", DEFAULT)


def main() -> None:
    """Serve passes until the input ends."""
    warm_up()
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            asked = json.loads(line)
            os.environ.clear()
            os.environ.update(asked["environment"])
            os._exit(live(Order(**asked["order"]), writing))
        os.close(writing)
        os.waitpid(child, 0)
        said = os.read(reading, 65536)
        os.close(reading)
        print(said.decode() or json.dumps({"points": 0, "died": True, "failed": False}), flush=True)


def live(order: Order, report: int) -> int:
    """One pass in a child; its exit code."""
    points = Points(order, report)
    error = ""
    try:
        one_pass(points)
    except BaseException as caught:  # noqa: BLE001 - whatever it is, the drill shall see it
        error = repr(caught)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    points.tell(died=False, failed=points.failed or order.full, error=error)
    return 1 if error else 0


if __name__ == "__main__":
    main()
