"""Several `gateway run` over one PostgreSQL: they share the work, one is killed, one stands still longer than its lease, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.daemon import lock
from gateway.store import database, leases
from gateway.store.schema import job_runs
from tests.stage import Stage

pytestmark = pytest.mark.xdist_group("postgres")
COUNT = 16
PERIODS = """
[periods]
refunds_lag = -5.0
doubt_settle = 3.0
confirm_process = 0.5
first_retry = 0.5
import_returns = 1.0
export_receipts = 1.0
import_refunds = 5.0
import_orders = 5.0
export_inventory = 5.0
scan = 0.5
lease = 3.0
"""


@contextmanager
def machines(stage: Stage, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many `gateway run` on one workspace."""
    with (stage.folder / "run.log").open("wb") as log:
        command = [sys.executable, "-m", "gateway", "run", "--config", str(stage.folder)]
        found = [subprocess.Popen(command, env={**os.environ, **stage.environment}, stdout=log, stderr=log) for _ in range(count)]
        try:
            yield found
        finally:
            for process in found:
                process.kill()
                process.wait()


def until(stage: Stage, true: Callable[[], bool], *, seconds: float = 90.0) -> None:
    """Let the partner act until something is true."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, (stage.folder / "run.log").read_text()[-3000:]
        stage.atlas.step()
        stage.world.settle()
        pause.wait(0.1)


def processed(stage: Stage) -> int:
    """How many returns Loop was asked to process, and did."""
    return stage.simulator.calls.count("process", accepted=True)


def test_it_does_everything_once_though_one_is_killed_and_one_stands_still(make_stage: Callable[..., Stage], postgres_url: str) -> None:
    stage = make_stage(database_url=postgres_url, periods=PERIODS)
    for place in range(COUNT):
        stage.world.add_order(5100000000 + place, f"#{20000 + place}", [("CAP-NVY-OS", 1)])
        stage.world.open_return(78000000 + place, f"#{20000 + place}", [(9000000 + place, "CAP-NVY-OS")], 501)
    with machines(stage, 3) as (first, second, third):
        until(stage, lambda: len(lock.living(stage.folder / "var")) == 3 and processed(stage) >= 2)
        first.kill()
        second.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        until(stage, lambda: processed(stage) >= COUNT // 2 and time.monotonic() - stopped > 4)
        second.send_signal(signal.SIGCONT)
        until(stage, lambda: all(stage.ra(f"RA{78000000 + n}").state.value == "closed" for n in range(COUNT)))
        third.send_signal(signal.SIGTERM)
        assert third.wait(20) == 0
        assert second.poll() is None
    calls = Counter(call.rma for call in stage.simulator.calls.all("process") if call.accepted)
    assert calls == Counter({78000000 + n: 1 for n in range(COUNT)})
    assert sorted(ra for taken in stage.atlas.taken for ra in taken.ras) == [f"RA{78000000 + n}" for n in range(COUNT)]
    controls = sorted(int(f.control) for f in stage.files() if f.direction == "out")
    assert controls == list(range(1, len(controls) + 1))
    assert len(stage.receipts()) == COUNT
    assert stage.tasks("defect") == []


def test_it_takes_a_slot_once_and_lets_only_one_process_sweep_a_partner(make_stage: Callable[..., Stage], postgres_url: str) -> None:
    stage = make_stage(database_url=postgres_url, periods=PERIODS.replace("import_returns = 1.0", "import_returns = 3600.0"))
    with machines(stage, 4):
        until(stage, lambda: sum(bool(card.get("ready")) for card in lock.living(stage.folder / "var")) == 4)

        def partners() -> set[str]:
            with database.reading(stage.ctx.engine) as connection:
                return {name for name in leases.holders(connection) if name.startswith("partner ")}

        until(stage, lambda: partners() == {f"partner {name}" for name in stage.ctx.folders})

        def runs(job: str) -> int:
            with database.reading(stage.ctx.engine) as connection:
                return len(database.rows(connection, select(job_runs).where(job_runs.c.job == job)))

        until(stage, lambda: runs("LoopImportReturnAuthorizations") >= 1)
        others = runs("LoopExportReturnReceipts")
        until(stage, lambda: runs("LoopExportReturnReceipts") >= others + 3)  # slots of another job come and go meanwhile
        assert runs("LoopImportReturnAuthorizations") == 1


def test_it_lets_one_process_of_sqlite_run_and_several_of_postgresql(tmp_path: Path) -> None:
    with lock.locked(tmp_path, "a"), pytest.raises(lock.LockedError), lock.locked(tmp_path, "b"):
        pass
    with lock.locked(tmp_path, "a", slots=64), lock.locked(tmp_path, "b", slots=64):
        assert [card["owner"] for card in lock.living(tmp_path)] == ["a", "b"]
    assert lock.living(tmp_path) == []
