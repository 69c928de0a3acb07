"""A gateway that dies at a chosen point: run as a process of its own, it forks one child for each pass, and the child kills itself with SIGKILL.

Points are counted through everything whose order matters: before and after each commit, each call that leaves, each rename. Forking from a warm process
makes a pass cheap; the child has no threads, opens its own database connection, and does exactly what `gateway run-once` does.

One line of JSON in: {"die_at": n or null}. One line out: {"points": how many were passed, "died": bool}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import alembic.command
import alembic.runtime.migration
import alembic.script

from gateway import bootstrap, config
from gateway.clients.session import Session
from gateway.daemon import running
from gateway.edi import dictionary
from gateway.edi.x12 import DEFAULT


class Points:
    """Counts points and dies at one of them."""

    def __init__(self, die_at: int | None, report: int) -> None:
        self.die_at = die_at
        self.report = report
        self.passed = 0

    def reach(self) -> None:
        """One point."""
        self.passed += 1
        if self.passed == self.die_at:
            os.write(self.report, json.dumps({"points": self.passed, "died": True}).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call with a point before and after it."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.reach()
            result = call(*args, **kwargs)
            self.reach()
            return result

        return counted


def one_pass(points: Points) -> None:
    """Open the workspace and do one pass, with points in place."""
    workspace = config.load()
    engine = bootstrap.open_book(workspace)
    ctx = bootstrap.make_context(workspace, engine)
    bootstrap.take_back(workspace, ctx)
    for folders in ctx.folders.values():
        folders.make()
    dialect = engine.dialect
    dialect.do_commit = points.around(dialect.do_commit)  # type: ignore[method-assign]
    Session.send = points.around(Session.send)  # type: ignore[method-assign]
    os.rename = points.around(os.rename)
    os.replace = points.around(os.replace)
    running.run_once(ctx, owner=bootstrap.owner_name(workspace), stopping=threading.Event())
    engine.dispose()


def warm_up() -> None:
    """Compile the checks of the sets in play once, before any fork."""
    for set_id in ("856", "944", "997"):
        dictionary.check_set([], set_id, "004010", DEFAULT)


WARM = (alembic.command, alembic.script, alembic.runtime.migration)  # imported before the fork, so that a pass does not pay for it


def main() -> None:
    """Serve passes until the input ends."""
    warm_up()
    for line in sys.stdin:
        asked = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            points = Points(asked["die_at"], writing)
            code = 0
            try:
                one_pass(points)
                os.write(writing, json.dumps({"points": points.passed, "died": False}).encode())
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test shall see it
                os.write(writing, json.dumps({"points": points.passed, "died": False, "error": repr(error)}).encode())
                code = 1
            os._exit(code)
        os.close(writing)
        os.waitpid(child, 0)
        said = os.read(reading, 65536)
        os.close(reading)
        print(said.decode(), flush=True)


if __name__ == "__main__":
    main()
