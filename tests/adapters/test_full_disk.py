"""A disk that is really full: a small file system of its own, filled to the last byte, and emptied again."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.daemon import lock
from gateway.folders import durable
from gateway.simulator.world import open_known_return
from gateway.views import health
from tests.adapters.test_machines import PERIODS
from tests.adapters.test_service import running, until
from tests.journeys.steps import the_944
from tests.stage import Stage


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, str], Path]]:
    """Put a file system of so many bytes under a folder."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str) -> Path:
        folder.mkdir(parents=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("no file system can be mounted here (that takes root)")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to its last byte; the file that does it."""
    filler = disk / ".filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(b"\0" * 512):
            pass
    return filler


def test_a_full_outbox_pauses_its_partner_and_the_file_goes_whole_when_there_is_room(
    make_stage: Callable[..., Stage], tmp_path: Path, small_disk: Callable[[Path, str], Path]
) -> None:
    disk = small_disk(tmp_path / "stage" / "outbox" / "ATLAS", "256k")
    stage = make_stage()
    filler = fill(disk)
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    assert [(a["kind"], a["subject"], "No space left on device" in a["text"]) for a in stage.alerts()] == [("folder trouble", "ATLAS outbox", True)]
    assert stage.outbox("ATLAS") == [filler]
    found = health.status(stage.ctx.engine, stage.ctx.folders, now=stage.ctx.now(), ready=True)
    assert [(one["name"], "0.0 of 0.0 GB free; make room" in one["words"]) for one in found["parts"] if not one["well"]] == [(f"of {disk}", True)]
    filler.unlink()
    stage.wait(2)
    (sent,) = stage.outbox("ATLAS")
    assert durable.digest(sent) == stage.file(sent.name).sha256
    assert stage.alerts() == []


def test_a_disk_that_is_full_under_the_book_stops_nothing_for_good_and_loses_and_doubles_nothing(
    make_stage: Callable[..., Stage], tmp_path: Path, small_disk: Callable[[Path, str], Path]
) -> None:
    disk = small_disk(tmp_path / "stage" / "var", "8m")
    stage = make_stage(periods=PERIODS)
    for rma in (77000001, 77000004):
        open_known_return(stage.world, rma)
    with running(stage.folder, stage.environment):
        until(lambda: lock.is_running(disk) and len(stage.outbox("ATLAS")) == 2)
        filler = fill(disk)
        (stage.folder / "inbox" / "ATLAS" / "r.edi").write_bytes(the_944())
        open_known_return(stage.world, 77000003)
        said = stage.folder / "run.log"
        until(lambda: said.read_text().count("disk full") >= 3)  # the sweep, the jobs and the workers were all refused
        assert stage.calls("process", 77000001) == 0
        filler.unlink()
        until(lambda: stage.calls("process", 77000001) == 1 and len(stage.outbox("ATLAS")) == 4)
    stage.world.settle()
    assert (stage.lines("RA77000001"), stage.calls("process", 77000001)) == ({"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}, 1)
    assert health.verify(stage.ctx.engine, stage.ctx.folders) == []
