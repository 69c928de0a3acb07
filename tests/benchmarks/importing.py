"""Loop returns to committed RAs, beyond what asking for them costs.

    python -m tests.benchmarks.importing [--returns 10000] [--url postgresql+psycopg://user@/empty_database]

The yardstick is the same listing read to its end with nothing done; both ask the simulator, which runs in other threads of this process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from gateway.jobs import loop
from tests.stage import Stage

FIRST_ORDER, FIRST_RMA = 6_000_000_000, 88_000_000
Found = TypeVar("Found")


def fill(stage: Stage, count: int) -> None:
    """Orders of two items, both sent back."""
    for number in range(count):
        name = f"#{20_000 + number}"
        stage.world.add_order(FIRST_ORDER + number, name, (("TEE-BLK-M", 1), ("HOOD-GRY-M", 1)))
        units = ((90_000_000 + 2 * number, "TEE-BLK-M"), (90_000_001 + 2 * number, "HOOD-GRY-M"))
        stage.world.open_return(FIRST_RMA + number, name, units, 501)


def listed(stage: Stage) -> int:
    """All returns asked for, by state and page as the import does, and read; nothing else."""
    until = stage.ctx.now()
    return sum(
        len(page)
        for state in loop.STATES
        for page in stage.ctx.loop.list_returns(start=until - timedelta(days=1), end=until + timedelta(seconds=1), state=state)
    )


def timed(do: Callable[[], Found]) -> tuple[Found, tuple[float, float]]:
    """What something finds, and its seconds by the clock and of this thread's processor, where neither the simulator nor other work counts."""
    began = time.perf_counter(), time.thread_time()
    found = do()
    return found, (time.perf_counter() - began[0], time.thread_time() - began[1])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--returns", type=int, default=10_000)
    parser.add_argument("--url", default="", help="an empty database on PostgreSQL instead of SQLite")
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as name, Stage(Path(name) / "w", database_url=asked.url) as stage:
        fill(stage, asked.returns)
        found, listing = timed(lambda: listed(stage))
        tally, importing = timed(lambda: stage.run("LoopImportReturnAuthorizations"))
        print(f"{found} returns listed alone: {listing[0]:.1f} s; imported: {importing[0]:.1f} s, {tally.counts}")
        for what, alone, whole in zip(("by the clock", "of processor"), listing, importing, strict=True):
            print(f"    beyond the listing {asked.returns / max(whole - alone, 0.001):.0f} returns/s {what}")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
