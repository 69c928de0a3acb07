"""The service's loops: slots across clock changes, one failing loop beside others, signs of life, the unit."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway import config
from gateway.cli import register
from gateway.daemon import lock, loops, notify, running
from gateway.daemon.holding import Holding
from gateway.jobs import SCHEDULED
from gateway.jobs.context import Context, Tally
from gateway.settings import Periods, SchedulePart
from gateway.store import database, events
from tests.stage import Stage, make_workspace

NEW_YORK = ZoneInfo("America/New_York")


def service(stage: Stage, **changes: object) -> loops.Service:
    """A service of the stage, not started."""
    holding = Holding(ctx=stage.ctx, owner="here", seconds=60, names=tuple(stage.ctx.folders))
    made = loops.Service(
        ctx=stage.ctx,
        owner="here",
        periods=dict.fromkeys(SCHEDULED, 3600.0),
        scan_seconds=0.1,
        workers=1,
        lease_seconds=60,
        holding=holding,
        zone=NEW_YORK,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


def slots(stage: Stage, cron: str, start: datetime, end: datetime) -> list[str]:
    """The slots of a job between two instants, as the merchant's clock shows them."""
    made = service(stage, crons={"Upkeep": cron})
    found, at = [], start.astimezone(UTC)
    while (at := made.next_slot("Upkeep", at)) < end.astimezone(UTC):
        found.append(f"{at.astimezone(NEW_YORK):%d %H:%M %Z}")
    return found


def test_r178_a_daily_job_is_neither_skipped_nor_doubled_when_clocks_change(stage: Stage) -> None:
    spring = slots(stage, "30 2 * * *", datetime(2026, 3, 7, tzinfo=NEW_YORK), datetime(2026, 3, 10, tzinfo=NEW_YORK))
    assert spring == ["07 02:30 EST", "08 03:00 EDT", "09 02:30 EDT"]
    autumn = slots(stage, "30 1 * * *", datetime(2026, 10, 31, tzinfo=NEW_YORK), datetime(2026, 11, 3, tzinfo=NEW_YORK))
    assert autumn == ["31 01:30 EDT", "01 01:30 EDT", "02 01:30 EST"]


def test_r178_an_hourly_job_runs_every_hour_that_there_is(stage: Stage) -> None:
    autumn = slots(stage, "0 * * * *", datetime(2026, 10, 31, 23, tzinfo=NEW_YORK), datetime(2026, 11, 1, 4, tzinfo=NEW_YORK))
    assert len(autumn) == 5  # midnight, one twice, two, three
    assert len(slots(stage, "0 * * * *", datetime(2026, 3, 8, 0, tzinfo=NEW_YORK), datetime(2026, 3, 8, 5, tzinfo=NEW_YORK))) == 3  # one, three, four


def test_it_takes_a_slot_that_was_missed_while_nothing_ran_once(stage: Stage) -> None:
    made = service(stage, crons={"Upkeep": "30 2 * * *"})
    loops.plan(made)
    stage.clock.advance(3 * 86400)
    for _ in range(2):
        loops.run_due(made, "Upkeep")
    assert [run["job"] for run in stage.runs()] == ["Upkeep"]


def test_a_long_job_keeps_no_other_waiting_and_is_not_begun_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    began, let_go, others = threading.Semaphore(0), threading.Event(), threading.Event()

    def long(ctx: Context) -> Tally:
        began.release()
        assert let_go.wait(30)
        return Tally()

    def short(ctx: Context) -> Tally:
        others.set()
        return Tally()

    monkeypatch.setitem(SCHEDULED, "LoopImportReturnAuthorizations", long)
    monkeypatch.setitem(SCHEDULED, "Upkeep", short)
    made = service(stage, periods=dict.fromkeys(SCHEDULED, 0.0))
    loops.plan(made)
    threads = [threading.Thread(target=loops.schedule, args=(made,)) for _ in range(loops.JOBS_AT_ONCE)]
    for thread in threads:
        thread.start()
    assert began.acquire(timeout=30)
    assert others.wait(30)
    loops.run_due(made, "LoopImportReturnAuthorizations")  # its next slot has come, and it runs still
    assert not began.acquire(blocking=False)
    let_go.set()
    for thread in threads:
        thread.join()


def test_a_broken_cron_expression_is_named_with_its_remedy(tmp_path: Path) -> None:
    make_workspace(tmp_path)
    text = (tmp_path / "gateway.toml").read_text()
    (tmp_path / "gateway.toml").write_text(text + '\n[schedule]\nimport_refunds = "every morning"\n')
    with pytest.raises(config.BrokenSettingsError, match="is no cron expression"):
        config.load(str(tmp_path))


def test_one_failing_loop_stops_no_other(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made = service(stage)
    worked = threading.Event()

    def fail(_: loops.Service) -> None:
        raise RuntimeError("a defect")

    def work(_: loops.Service) -> None:
        worked.set()
        made.stopping.wait(0.01)

    monkeypatch.setattr(running, "LOOPS", (loops.Loop("bad", fail), loops.Loop("good", work)))
    served = threading.Event()

    def serve(stopping: threading.Event) -> None:
        served.set()
        stopping.wait()

    thread = threading.Thread(target=running.run, args=(made, lambda _: None), kwargs={"serve": serve})
    thread.start()
    assert served.wait(10)
    worked.clear()
    assert worked.wait(10)
    made.stopping.set()
    thread.join(20)
    assert not thread.is_alive()


def test_a_partner_without_its_folders_pauses_alone_alerts_once_and_goes_on_by_itself(stage: Stage) -> None:
    inbox = stage.folder / "inbox" / "ATLAS"
    shutil.move(inbox, stage.folder / "away")
    inbox.write_text("a file where the folder was")
    for _ in range(3):
        loops.take(stage.ctx, "ATLAS")
        loops.take(stage.ctx, "PACIFIC")
    assert [(a["kind"], a["subject"]) for a in stage.alerts()] == [("folder trouble", "ATLAS")]
    inbox.unlink()
    shutil.move(stage.folder / "away", inbox)
    loops.take(stage.ctx, "ATLAS")
    assert stage.alerts() == []


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is Linux")
def test_it_tells_systemd_in_a_datagram(tmp_path: Path) -> None:
    path = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        assert notify.tell("READY=1", {"NOTIFY_SOCKET": path})
        assert listening.recv(100) == b"READY=1"
    assert not notify.tell("READY=1", {})
    assert notify.interval({"WATCHDOG_USEC": "120000000"}) == 40


def test_a_loop_that_hangs_withholds_the_sign_of_life(stage: Stage) -> None:
    made = service(stage)
    made.beat("sweep")
    assert made.stuck() == []
    late = replace(stage.ctx, monotonic=lambda: stage.ctx.monotonic() + loops.STUCK_SECONDS + 1)
    made.ctx = late
    assert made.stuck() == ["sweep"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_its_unit_is_sound_and_hardened(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "gateway.service"
    path.write_text(register.unit(stage.workspace, user="daemon").replace(register.command_path(), "/bin/true"))
    checked = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(path)], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 0, judged.stdout[-300:]


def test_the_windows_definition_quotes_its_paths(stage: Stage) -> None:
    text = register.winsw(stage.workspace)
    assert f'<arguments>run --config "{stage.workspace.root}"</arguments>' in text


def test_a_job_that_another_process_runs_is_a_skip_with_its_name(make_stage: Callable[..., Stage]) -> None:
    from gateway.store import leases
    from gateway.worker import run_alone

    stage = make_stage()
    with database.writing(stage.ctx.engine) as connection:
        leases.take(connection, "job Upkeep", owner="other", now=stage.ctx.now(), seconds=60)
    assert run_alone(stage.ctx, "Upkeep", owner="here").reasons == ["Upkeep: other is running it now"]
    stage.clock.advance(61)
    assert run_alone(stage.ctx, "Upkeep", owner="here").reasons == []
    with database.reading(stage.ctx.engine) as connection:
        assert [run["job"] for run in events.list_runs(connection)] == ["Upkeep"]


def test_the_lock_names_its_holder(tmp_path: Path) -> None:
    with lock.locked(tmp_path, "box:1:2"), pytest.raises(lock.LockedError, match=f"process {os.getpid()}.*box:1:2"), lock.locked(tmp_path, "b"):
        pass


def test_a_period_counts_from_when_the_slot_was_taken(stage: Stage) -> None:
    now = stage.ctx.now()
    assert service(stage).next_slot("Upkeep", now) == now + timedelta(hours=1)


def test_every_scheduled_job_has_a_period_and_may_have_a_cron_expression() -> None:
    from gateway.cli.service import JOBS

    assert set(JOBS) == set(SCHEDULED)
    assert set(JOBS.values()) <= set(Periods.model_fields)
    assert set(JOBS.values()) <= set(SchedulePart.model_fields)
