"""Folders that strangers write to: what is taken, what is left, and that nothing is overwritten."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.folders import FolderTroubleError, GoneError, NameTakenError, PartnerFolders, free_name, rename_new, safe_name
from gateway.simulator.partner import make_944

WHOLE = make_944("RA1", [("TEE-BLK-M", 1)])


def make(root: Path, *, settle: float = 5.0, trigger: str = "") -> PartnerFolders:
    """A partner's folders."""
    folders = PartnerFolders(
        partner="ATLAS",
        inboxes={"production": root / "inbox", "test": root / "inbox" / "test"},
        outboxes={"production": root / "outbox", "test": root / "outbox" / "test"},
        processing=root / "var" / "processing",
        staging=root / "var" / "staging",
        archive_root=root / "var" / "archive",
        error=root / "var" / "error" / "ATLAS",
        quarantine=root / "var" / "quarantine" / "ATLAS",
        settle_seconds=settle,
        temporary=("*.tmp", "*.part", "*.filepart", ".*"),
        trigger=trigger,
    )
    folders.make()
    return folders


def names(claimed: list[object]) -> list[str]:
    """The partner's names of what was claimed."""
    return [c.name for c in claimed]  # type: ignore[attr-defined]


def test_it_takes_a_file_only_after_it_kept_still_for_the_settle_period(tmp_path: Path) -> None:
    folders = make(tmp_path)
    path = tmp_path / "inbox" / "a.edi"
    path.write_bytes(WHOLE)
    assert folders.claim_settled(now=100.0) == []
    assert folders.claim_settled(now=104.9) == []
    path.write_bytes(WHOLE + b"\n")
    assert folders.claim_settled(now=105.0) == []
    assert names(folders.claim_settled(now=110.0)) == ["a.edi"]
    assert list((tmp_path / "inbox").glob("*.edi")) == []


def test_a070_it_takes_a_file_written_in_ten_pieces_after_the_last(tmp_path: Path) -> None:
    folders = make(tmp_path)
    path = tmp_path / "inbox" / "a.edi"
    size = len(WHOLE) // 10 + 1
    for piece in range(10):
        with path.open("ab") as stream:
            stream.write(WHOLE[piece * size : (piece + 1) * size])
        assert folders.claim_settled(now=piece * 2.0) == []
    assert names(folders.claim_settled(now=18.0 + 5.0)) == ["a.edi"]


def test_it_says_when_the_next_file_will_have_settled(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=5)
    assert folders.settles_in(now=1.0) is None
    (tmp_path / "inbox" / "a.edi").write_bytes(WHOLE)
    folders.claim_settled(now=1.0)
    assert folders.settles_in(now=3.0) == 3.0
    assert folders.settles_in(now=6.0) is None  # it has; what keeps it is not a matter of waiting


def test_it_leaves_temporary_names_alone_until_they_are_renamed(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=0)
    for name in ("x.edi.filepart", "y.TMP", ".z.edi", "u.part"):
        (tmp_path / "inbox" / name).write_bytes(WHOLE)
    assert folders.claim_settled(now=60.0) == []
    os.rename(tmp_path / "inbox" / "x.edi.filepart", tmp_path / "inbox" / "x.edi")
    assert names(folders.claim_settled(now=61.0)) == ["x.edi"]


def test_it_waits_for_the_closing_envelope_and_takes_the_file_when_it_grows(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=0)
    path = tmp_path / "inbox" / "a.edi"
    path.write_bytes(WHOLE[:-30])
    assert folders.claim_settled(now=1.0) == []
    assert folders.waiting() == [("a.edi", True)]
    ((found, stamp),) = folders.incomplete()
    assert (found.name, stamp.split(",")[0]) == ("a.edi", f"{len(WHOLE) - 30} bytes")
    with path.open("ab") as stream:
        stream.write(WHOLE[-30:])
    assert folders.waiting() == [("a.edi", False)]
    assert names(folders.claim_settled(now=62.0)) == ["a.edi"]


def test_it_waits_for_the_trigger_file_and_takes_it_away(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=0, trigger=".done")
    (tmp_path / "inbox" / "a.csv").write_bytes(b"x,y\n1,2\n")
    assert folders.claim_settled(now=1.0) == []
    (tmp_path / "inbox" / "a.csv.done").touch()
    assert names(folders.claim_settled(now=2.0)) == ["a.csv"]
    assert list((tmp_path / "inbox").glob("*.done")) == []


def test_it_follows_no_link_and_takes_no_folder(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=0)
    secret = tmp_path / "secret.edi"
    secret.write_bytes(WHOLE)
    (tmp_path / "inbox" / "link.edi").symlink_to(secret)
    (tmp_path / "inbox" / "folder.edi").mkdir()
    os.mkfifo(tmp_path / "inbox" / "pipe.edi")
    assert folders.claim_settled(now=1.0) == []
    assert secret.exists()


def test_it_gives_each_file_to_one_of_two_claimants(tmp_path: Path) -> None:
    one, two = make(tmp_path, settle=0), make(tmp_path, settle=0)
    for number in range(200):
        (tmp_path / "inbox" / f"{number}.edi").write_bytes(WHOLE)
    found: dict[str, list[str]] = {"one": [], "two": []}

    def claim(who: str, folders: PartnerFolders) -> None:
        found[who] = names(folders.claim_settled(now=1.0, most=1000))  # type: ignore[arg-type]

    threads = [threading.Thread(target=claim, args=pair) for pair in (("one", one), ("two", two))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found["one"] + found["two"], key=lambda n: int(n.split(".")[0])) == [f"{n}.edi" for n in range(200)]
    assert len(one.claimed()) == 200


def test_it_finds_claimed_files_again_oldest_first(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=0)
    for age, name in ((30, "b.edi"), (10, "a.edi"), (20, "c.edi")):
        path = tmp_path / "inbox" / name
        path.write_bytes(WHOLE)
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    folders.claim_settled(now=1.0)
    assert names(make(tmp_path).claimed()) == ["b.edi", "c.edi", "a.edi"]


def test_it_never_puts_a_file_over_another(tmp_path: Path) -> None:
    folders = make(tmp_path)
    (tmp_path / "outbox" / "a.edi").write_bytes(b"theirs")
    folders.stage("a.edi", b"ours")
    with pytest.raises(NameTakenError):
        folders.put("a.edi", kind="production")
    assert (tmp_path / "outbox" / "a.edi").read_bytes() == b"theirs"
    assert folders.is_staged("a.edi")
    folders.stage("b.edi", b"ours")
    folders.put("b.edi", kind="production")
    assert (tmp_path / "outbox" / "b.edi").read_bytes() == b"ours"
    assert not folders.is_staged("b.edi")


def test_it_moves_once_and_finds_what_a_crash_left_moved(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=0)
    (tmp_path / "inbox" / "a.edi").write_bytes(WHOLE)
    (claimed,) = folders.claim_settled(now=1.0)
    target = folders.plan("archive", name="a.edi", at=datetime(2026, 11, 24, tzinfo=UTC))
    assert target == "archive/2026/11/24/ATLAS/a.edi"
    folders.move(claimed.place, target)
    folders.move(claimed.place, target)
    assert b"".join(folders.read(target)) == WHOLE
    with pytest.raises(GoneError):
        folders.move("production.0.gone.edi", "archive/2026/11/24/ATLAS/gone.edi")


def test_it_says_which_folder_cannot_be_written(tmp_path: Path) -> None:
    folders = make(tmp_path)
    (tmp_path / "file").touch()
    folders.error = tmp_path / "file" / "error"
    with pytest.raises(FolderTroubleError, match=r"ATLAS: the folder .*error cannot be written"):
        folders.make()


def test_it_reports_an_inbox_that_is_gone_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    folders = make(tmp_path, settle=0)
    os.rename(tmp_path / "inbox", tmp_path / "away")
    with pytest.raises(FolderTroubleError, match="is not there"):
        folders.claim_settled(now=1.0)
    (tmp_path / "away" / "a.edi").write_bytes(WHOLE)
    os.rename(tmp_path / "away", tmp_path / "inbox")
    assert names(folders.claim_settled(now=2.0)) == ["a.edi"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.edi", "a.edi"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("CON.edi", "_CON.edi"),
        ("a:b?.csv", "a_b_.csv"),
        ("a.edi. ", "a.edi"),
        ("", "_"),
    ],
)
def test_it_makes_names_that_any_file_system_takes(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_it_finds_a_free_name(tmp_path: Path) -> None:
    (tmp_path / "a.edi").touch()
    (tmp_path / "a~2.edi").touch()
    assert free_name(tmp_path, "a.edi").name == "a~3.edi"
    with pytest.raises(NameTakenError):
        rename_new(tmp_path / "a.edi", tmp_path / "a~2.edi")


def test_the_side_files_of_two_files_with_one_name_stay_apart_and_the_same_again_changes_nothing(tmp_path: Path) -> None:
    folders = make(tmp_path)
    for number in (7, 8, 7):
        folders.explain_partial(name="a.edi", number=number, side_text=f"faults of {number}", rest=b"sets of %d" % number)
    found = {path.name: path.read_bytes() for path in folders.error.iterdir()}
    assert found == {
        "a.edi.txt": b"faults of 7",
        "a.edi.to-correct.edi": b"sets of 7",
        "a~8.edi.txt": b"faults of 8",
        "a~8.edi.to-correct.edi": b"sets of 8",
    }


def test_equal_bytes_under_the_planned_name_are_another_file_and_both_stay(tmp_path: Path) -> None:
    folders = make(tmp_path)
    (folders.processing / "1~a.edi").write_bytes(WHOLE)
    target = folders.plan("archive", name="a.edi", at=datetime(2026, 11, 23, tzinfo=UTC))
    there = folders.archive_root.parent / target
    there.parent.mkdir(parents=True)
    there.write_bytes(WHOLE)
    with pytest.raises(NameTakenError, match="not overwritten"):
        folders.move("1~a.edi", target)
    assert (folders.processing / "1~a.edi").read_bytes() == there.read_bytes() == WHOLE
