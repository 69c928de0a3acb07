"""From a settled file to the call at Loop: `python -m tests.benchmarks.latency [--files 60] [--scan 2.0] [--settle 5.0]`.

The real service runs beside the simulator, over HTTP, with as many RAs sent as receipts will come. Receipts are dropped one after the other, each when the one
before is processed. Measured is the time from the instant at which a file is settled (dropped + the settle period) to the one at which the simulator got
the call; the instants are of one clock, since the simulator runs in this process. The load of the machine is printed too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.simulator.partner import make_944
from gateway.store import database, files, schema, workqueue
from tests.stage import Stage

FIRST = 88_000_000
LINES = (("TEE-BLK-M", 1), ("HOOD-GRY-M", 1))
SETTLE = "settle_seconds = 0.0"


def announce(stage: Stage, count: int) -> None:
    """So many returns in Loop, their RAs sent."""
    for number in range(count):
        stage.world.add_order(6_000_000_000 + number, f"#{20_000 + number}", LINES)
        units = ((90_000_000 + 2 * number, "TEE-BLK-M"), (90_000_001 + 2 * number, "HOOD-GRY-M"))
        stage.world.open_return(FIRST + number, f"#{20_000 + number}", units, 501)
    stage.import_rmas()
    stage.ctx.engine.dispose()


@contextmanager
def running(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """`gateway run` on the stage's workspace, by the machine's clock."""
    environment = {**os.environ, **stage.environment}
    del environment["GATEWAY_CLOCK_FILE"]
    with (stage.folder / "run.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "gateway", "run", "--config", str(stage.folder)], env=environment, stdout=log, stderr=log)
    try:
        until(lambda: b"gateway.ready" in (stage.folder / "run.log").read_bytes())
        yield process
    finally:
        process.terminate()
        process.wait(25)


def until(true: Callable[[], bool], *, seconds: float = 60) -> float:
    """Wait for something; the instant at which it was seen."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit("it did not happen")
        time.sleep(0.002)
    return time.monotonic()


def trace(stage: Stage, rma: int, dropped: float) -> dict[str, float]:
    """When what was written down of a return and of the newest file, in seconds after that was dropped."""
    told = schema.events.select().order_by(schema.events.c.id)
    with database.reading(stage.ctx.engine) as connection:
        newest = schema.events.c.file_id == files.last_file(connection)
        rows = database.rows(connection, told.where((schema.events.c.rma == str(rma)) | newest | (schema.events.c.word == "file.taken")))
    return {row["word"]: database.moment(row["at"]).timestamp() - dropped for row in rows}


def is_idle(stage: Stage) -> bool:
    """Whether nothing is due any more."""
    with database.reading(stage.ctx.engine) as connection:
        return workqueue.due_count(connection, now=stage.ctx.now()) == 0


def main() -> None:
    """Print median, p95 and longest."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--scan", type=float, default=2.0)
    parser.add_argument("--settle", type=float, default=5.0)
    parser.add_argument("--trace", action="store_true", help="say of each file which step was when")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Stage(Path(name) / "w", periods=f"\n[periods]\nscan = {asked.scan}\n") as stage:
        announce(stage, asked.files)
        profile = stage.folder / "mappings" / "atlas.toml"
        profile.write_text(profile.read_text().replace(SETTLE, f"settle_seconds = {asked.settle}"))
        found = []
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; scan {asked.scan} s, settle {asked.settle} s")
        with running(stage):
            until(lambda: stage.simulator.calls.count("list") > 0)
            for number in range(asked.files):
                rma = FIRST + number
                content = make_944(f"RA{rma}", LINES, number=5000 + number, receipt_no=f"W{rma}", final=True)
                written = stage.folder / "inbox" / "ATLAS" / f"{number}.edi"
                written.write_bytes(content)
                dropped, by_clock = time.monotonic(), time.time()
                called = until(lambda rma=rma: stage.calls("process", rma) > 0)  # type: ignore[misc]  # bound at once
                found.append(called - dropped - asked.settle)
                until(lambda: is_idle(stage))
                if asked.trace:
                    print(f"{found[-1]:.3f}", {word: round(at - asked.settle, 3) for word, at in trace(stage, rma, by_clock).items() if at > 0})
        ordered = sorted(found)
        p95 = ordered[min(round(0.95 * len(ordered)), len(ordered) - 1)]
        print(
            f"{len(found)} receipts: median {statistics.median(found):.3f} s, p95 {p95:.3f} s, longest {ordered[-1]:.3f} s beyond the settle period"
        )
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
