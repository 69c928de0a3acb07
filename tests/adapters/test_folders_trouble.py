"""Disks and shares that fail, floods, links: a partner pauses alone, tells once, and goes on by itself."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.daemon.loops import take
from gateway.folders import FolderTroubleError, PartnerFolders, naming
from gateway.folders.pacing import Pace
from tests.adapters.test_folders import WHOLE, make, names
from tests.journeys.steps import the_944
from tests.stage import HOUR, Stage

OTHER_DISK = Path("/dev/shm")


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A folder on another file system than the tests' own."""
    if not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("no second file system here")
    folder = Path(tempfile.mkdtemp(dir=OTHER_DISK))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def elsewhere(root: Path, disk: Path) -> PartnerFolders:
    """A partner whose inbox and outbox lie on another disk than the gateway's own folders."""
    folders = make(root, settle=0)
    folders.inboxes = {"production": disk / "inbox", "test": disk / "inbox" / "test"}
    folders.outboxes = {"production": disk / "outbox", "test": disk / "outbox" / "test"}
    folders._devices.clear()
    folders.make()
    return folders


def test_it_works_in_hidden_folders_beside_an_inbox_on_another_disk(tmp_path: Path, other_disk: Path) -> None:
    folders = elsewhere(tmp_path, other_disk)
    (other_disk / "inbox" / "a.edi").write_bytes(WHOLE)
    (claimed,) = folders.claim_settled(now=1.0)
    assert folders.processing == other_disk / "inbox" / ".gateway" / "processing"
    target = folders.plan("archive", name="a.edi", at=__import__("datetime").datetime(2026, 11, 25))
    folders.move(claimed.place, target)
    folders.move(claimed.place, target)
    assert (tmp_path / "var" / target).read_bytes() == WHOLE
    assert names(folders.claimed()) == []
    folders.stage("b.edi", b"ours")
    folders.put("b.edi", kind="production")
    assert (other_disk / "outbox" / "b.edi").read_bytes() == b"ours"
    assert folders.claim_settled(now=2.0) == []


def test_a_copy_left_by_a_crash_between_two_disks_is_no_second_file(tmp_path: Path, other_disk: Path) -> None:
    folders = elsewhere(tmp_path, other_disk)
    (other_disk / "inbox" / "a.edi").write_bytes(WHOLE)
    (claimed,) = folders.claim_settled(now=1.0)
    goal = tmp_path / "var" / "archive" / "x" / "a.edi"
    goal.parent.mkdir(parents=True)
    goal.write_bytes(WHOLE)
    folders.move(claimed.place, "archive/x/a.edi")
    assert [path.name for path in goal.parent.iterdir()] == ["a.edi"]
    assert folders.claimed() == []


def test_a_share_that_is_away_is_not_written_into(tmp_path: Path, other_disk: Path) -> None:
    folders = elsewhere(tmp_path, other_disk)
    folders.stage("b.edi", b"ours")
    mount_point = tmp_path / "mount"
    mount_point.mkdir()
    shares = dict(folders.outboxes), dict(folders.inboxes), dict(folders._devices), folders.staging
    folders._devices = {mount_point: next(iter(folders._devices.values()))}
    folders.inboxes = folders.outboxes = {"production": mount_point}
    folders.staging = mount_point
    for act in (lambda: folders.claim_settled(now=1.0), lambda: folders.put("b.edi", kind="production"), lambda: folders.is_staged("b.edi")):
        with pytest.raises(FolderTroubleError, match=r"the share of .* is away"):
            act()
    assert list(mount_point.iterdir()) == []
    folders.outboxes, folders.inboxes, folders._devices, folders.staging = shares
    folders.put("b.edi", kind="production")
    assert (other_disk / "outbox" / "b.edi").exists()


def test_a_partner_said_to_be_on_a_share_waits_for_its_mount(tmp_path: Path) -> None:
    folders = make(tmp_path)
    folders.share = True
    with pytest.raises(FolderTroubleError, match="mount it again"):
        folders.make()


def test_a_link_put_in_place_of_a_settled_file_is_not_read(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=0)
    secret = tmp_path / "secret"
    secret.write_bytes(WHOLE)
    path = tmp_path / "inbox" / "a.edi"
    path.write_bytes(WHOLE)
    status = path.lstat()
    path.unlink()
    path.symlink_to(secret)
    folders._settled("production", "a.edi", status, now=1.0)
    assert folders._claim(path, "production", status, now=1.0) == []
    assert folders.claimed() == []
    assert (folders.quarantine / "a.edi").is_symlink()


@pytest.mark.parametrize("failing", ["fsync", "rename", "open"])
def test_a_disk_that_fails_stops_the_partner_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    folders = make(tmp_path, settle=0)
    (tmp_path / "inbox" / "a.edi").write_bytes(WHOLE)
    real = getattr(os, failing)

    def fails(*given: object, **options: object) -> object:
        if failing != "open" or str(given[0]).endswith("a.edi"):
            raise OSError(28, "No space left on device")
        return real(*given, **options)

    monkeypatch.setattr(os, failing, fails)
    with pytest.raises(FolderTroubleError, match="No space left on device"):
        for claimed in folders.claim_settled(now=1.0):
            folders.facts(claimed.place)
    monkeypatch.undo()
    folders.claim_settled(now=2.0)
    assert names(folders.left_over()) == ["a.edi"]
    assert b"".join(folders.read(folders.left_over()[0].place)) == WHOLE


def test_trouble_with_one_partners_folders_is_one_alert_and_stops_no_other(stage: Stage) -> None:
    atlas = stage.folder / "inbox" / "ATLAS"
    os.rename(atlas, stage.folder / "away")
    for _ in range(3):
        take(stage.ctx, "ATLAS")
    assert [(a["kind"], a["subject"], a["times"]) for a in stage.alerts()] == [("folder trouble", "ATLAS", 1)]
    take(stage.ctx, "PACIFIC")
    (stage.folder / "away" / "a.edi").write_bytes(the_944())
    os.rename(stage.folder / "away", atlas)
    take(stage.ctx, "ATLAS")
    assert stage.alerts() == []
    assert [file.name for file in stage.files()] == ["a.edi"]


# floods


def test_it_takes_no_more_a_minute_than_the_partners_pace() -> None:
    pace = Pace(files_a_minute=2, bytes_a_minute=100)
    taken = []
    for at, size in ((0, 60), (1, 60), (2, 30), (3, 1), (60, 60), (61.5, 1000), (130, 1000), (131, 1)):
        allowed = pace.allows(size, now=at)
        taken.append(allowed)
        if allowed:
            pace.note(size, now=at)
    assert taken == [True, False, True, False, True, False, True, False]


def test_a_flood_is_taken_in_turns_oldest_first_and_waits_for_its_own_queue(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=(("mappings/atlas.toml", "\n[receive]\n", "\n[limits]\nqueue = 3\n\n[receive]\n"),))
    for number in range(8):
        path = stage.folder / "inbox" / "ATLAS" / f"{number}.edi"
        path.write_bytes(the_944(number=number + 1))
        os.utime(path, (1_700_000_000 - number, 1_700_000_000 - number))
    assert [take(stage.ctx, "ATLAS"), take(stage.ctx, "ATLAS")] == [3, 0]
    assert [file.name for file in stage.files()] == ["7.edi", "6.edi", "5.edi"]
    for _ in range(3):
        stage.worker.drain()
        take(stage.ctx, "ATLAS")
    assert len([file for file in stage.files() if file.direction == "in"]) == 8


def test_a_burst_is_taken_whole_oldest_first_two_hundred_at_a_time(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=0)
    for number in range(1000):
        path = tmp_path / "inbox" / f"{number:04d}.csv"
        path.write_bytes(b"%d" % number)
        os.utime(path, (1_700_000_000 - number, 1_700_000_000 - number))
    sweeps = [names(folders.claim_settled(now=1.0)) for _ in range(6)]
    assert [len(sweep) for sweep in sweeps] == [200] * 5 + [0]
    assert [name for sweep in sweeps for name in sweep] == [f"{number:04d}.csv" for number in reversed(range(1000))]


# incomplete files


def test_the_wait_for_an_incomplete_file_survives_a_restart_and_starts_anew_when_it_grows(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage()
    path = stage.folder / "inbox" / "ATLAS" / "a.edi"
    path.write_bytes(the_944()[:-40])
    stage.take()
    stage.clock.advance(20 * HOUR)
    stage.reopen()
    stage.take()
    path.write_bytes(the_944()[:-30])
    stage.take()
    stage.clock.advance(20 * HOUR)
    stage.take()
    (task,) = stage.tasks("incomplete file")
    assert f"{len(the_944()) - 30} bytes" in task["text"]
    assert stage.files() == []
    stage.clock.advance(4.1 * HOUR)
    stage.take()
    assert stage.file("a.edi").outcome == "error"
    assert stage.tasks("incomplete file") == []


def test_a_file_whose_trigger_never_comes_is_told_of_and_not_taken_until_it_does(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=(("mappings/atlas.toml", "settle_seconds = 0.0", 'settle_seconds = 0.0\ntrigger = ".done"'),))
    inbox = stage.folder / "inbox" / "ATLAS"
    (inbox / "a.edi").write_bytes(the_944())
    stage.take()
    assert stage.tasks("incomplete file") == []
    stage.ctx = replace(stage.ctx, monotonic=lambda: time.monotonic() + HOUR)
    for _ in range(2):
        stage.take()
    (task,) = stage.tasks("incomplete file")
    assert "has waited for its trigger file (.done) for an hour" in task["text"]
    assert stage.files() == []
    (inbox / "a.edi.done").touch()
    stage.take()
    assert (stage.file("a.edi").outcome, stage.tasks("incomplete file")) == ("applied", [])


def test_a_file_its_writer_holds_is_taken_as_soon_as_it_is_let_go_though_it_did_not_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = make(tmp_path, settle=0)
    (tmp_path / "inbox" / "a.edi").write_bytes(WHOLE)

    def held(path: Path, *_: object) -> None:
        raise PermissionError(13, "The process cannot access the file because it is being used by another process", str(path))

    with monkeypatch.context() as windows:
        windows.setattr(Path, "open", held)
        assert (folders.claim_settled(now=1.0), folders.incomplete(), folders.waiting_to_settle()) == ([], [], False)
        assert [path.name for path, _ in folders.not_let_go(now=3601.0)] == ["a.edi"]
    assert names(folders.claim_settled(now=2.0)) == ["a.edi"]


# names


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("aux", "_aux"),
        ("Com1.edi", "_Com1.edi"),
        ("com¹.txt", "_com¹.txt"),
        ("LPT9 .csv", "_LPT9 .csv"),
        ("COM10.edi", "COM10.edi"),
        ("name...", "name"),
        ("a\tb\x00.edi", "a_b_.edi"),
        ("x" * 300 + ".edi", "x" * 196 + ".edi"),
        ("ä" * 150 + ".csv", "ä" * 98 + ".csv"),
    ],
)
def test_names_fit_windows_and_keep_their_ending(name: str, safe: str) -> None:
    assert naming.safe_name(name) == safe


def test_paths_too_long_for_windows_take_their_long_form() -> None:
    long = "C:/in/" + "a" * 100
    assert naming.long_path(long, windows=True) == "\\\\?\\" + long.replace("/", "\\")
    assert naming.long_path("\\\\host\\share\\" + "a" * 100, windows=True).startswith("\\\\?\\UNC\\host\\share\\")
    assert naming.long_path(long, windows=False) == long
    assert naming.long_path("C:/in/a", windows=True) == "C:/in/a"
