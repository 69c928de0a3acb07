"""Loop returns to committed RAs, beyond what asking for them costs.

    python -m tests.benchmarks.importing [--returns 10000]

The yardstick is the same listing read to its end with nothing done; both ask the simulator, which runs in this process and on its processor.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from gateway.jobs import loop
from tests.stage import Stage

FIRST_ORDER, FIRST_RMA = 6_000_000_000, 88_000_000


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


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--returns", type=int, default=10_000)
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as name, Stage(Path(name) / "w") as stage:
        fill(stage, asked.returns)
        began = time.perf_counter()
        found = listed(stage)
        alone = time.perf_counter() - began
        began = time.perf_counter()
        tally = stage.run("LoopImportReturnAuthorizations")
        seconds = time.perf_counter() - began
        print(f"{found} returns listed alone: {alone:.1f} s; imported: {seconds:.1f} s, {tally.counts}")
        print(f"    beyond the listing {asked.returns / max(seconds - alone, 0.001):.0f} returns/s")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
