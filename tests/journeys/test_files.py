"""A-060 to A-062, A-070 to A-078: files appear whole, are taken once, and are understood as they were meant."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import config
from gateway.jobs import intake
from gateway.simulator.partner import Line, complete, make_944_file, read_x12
from gateway.simulator.partner_files import Envelope, Receipt
from gateway.simulator.world import open_known_return
from gateway.store import database, events
from tests.journeys.steps import ALL_GOOD, announce, come_back, the_944
from tests.stage import HOUR, ROOT, Stage

SETTLED_LATE = (("mappings/atlas.toml", "settle_seconds = 0.0", "settle_seconds = 5.0"),)


def open_many(stage: Stage, count: int) -> None:
    """So many returns of one unit, each on an order of its own."""
    for place in range(count):
        stage.world.add_order(5100000000 + place, f"#{20000 + place}", [("CAP-NVY-OS", 1)])
        stage.world.open_return(78000000 + place, f"#{20000 + place}", [(9000000 + place, "CAP-NVY-OS")], 501)


def test_a060_a_reader_polling_the_outbox_never_sees_an_unterminated_interchange(stage: Stage) -> None:
    open_many(stage, 120)
    outbox, stop = stage.folder / "outbox" / "ATLAS", threading.Event()
    seen: set[str] = set()
    torn: list[str] = []

    def poll() -> None:
        while True:
            last = stop.is_set()
            for path in outbox.iterdir():
                if path.is_file() and path.name not in seen:
                    seen.add(path.name)
                    torn.extend([path.name] if not complete(path.read_bytes()) else [])
            if last:
                return
            stop.wait(0.005)

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        stage.import_rmas()
    finally:
        stop.set()
        reader.join()
    assert torn == []
    assert len(seen) == 120
    assert all(name.endswith(".edi") for name in seen)


def test_a061_a_ra_pattern_of_23_characters_fails_the_check_and_nothing_is_sent(stage: Stage) -> None:
    settings = stage.folder / "gateway.toml"
    settings.write_text(settings.read_text().replace('ra_pattern = "RA{rma}"', 'ra_pattern = "RETURN-OF-GOODS{rma}"'))
    with pytest.raises(config.BrokenSettingsError) as fault:
        config.load(str(stage.folder), environment=stage.environment)
    assert "23 characters" in fault.value.message
    assert "depositor order number" in fault.value.message
    assert "22" in fault.value.message
    assert stage.outbox("ATLAS") == []


def test_a061_a_number_that_only_then_becomes_too_long_is_not_sent_either(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=(("gateway.toml", 'ra_pattern = "RA{rma}"', 'ra_pattern = "RETURN-OF-GOOD{rma}"'),))
    stage.world.open_return(177000004, "#1004", [(840001, "HOOD-GRY-M")], 501)
    stage.import_rmas()
    assert (stage.outbox("ATLAS"), stage.files()) == ([], [])
    (task,) = stage.tasks("not sendable")
    assert "23 characters" in task["text"]
    assert "holds 22" in task["text"]


DELIVER = """
import sys
from gateway import bootstrap, config
from gateway.store import database, workqueue
from gateway.worker import Worker
workspace = config.load(sys.argv[1])
ctx = bootstrap.make_context(workspace, bootstrap.open_book(workspace))
with database.writing(ctx.engine) as connection:
    workqueue.release_all(connection, owner_prefix="drill", now=ctx.now())
print("ready", flush=True)
Worker(ctx=ctx, owner="drill").drain()
"""


def test_a062_killed_five_times_the_control_numbers_of_delivered_files_have_no_repeat_and_no_gap(stage: Stage) -> None:
    open_many(stage, 100)
    stage.run("LoopImportReturnAuthorizations")
    dice = random.Random(62)
    for kill_at in [*sorted(dice.sample(range(5, 90), 5)), 1000]:
        with subprocess.Popen(
            [sys.executable, "-c", DELIVER, str(stage.folder)], env=stage.environment | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
        ) as delivery:
            while delivery.poll() is None and len(os.listdir(stage.folder / "outbox" / "ATLAS")) - 1 < kill_at:
                time.sleep(0.001)  # waits on the folder, not on the clock
            if kill_at < 1000:
                delivery.send_signal(signal.SIGKILL)
            delivery.communicate(timeout=60)
            assert delivery.returncode == (-signal.SIGKILL if kill_at < 1000 else 0)
    files = stage.outbox("ATLAS")
    numbers = [int(path.read_bytes()[90:99]) for path in files]
    assert sorted(numbers) == list(range(1, 101))
    assert sorted(ra for path in files for ra in _ras(path)) == [f"RA{78000000 + n}" for n in range(100)]
    assert {f.state for f in stage.files()} == {"delivered"}


def _ras(path: Path) -> list[str]:
    return [s[2] for group in read_x12(path.read_bytes()) for _, _, segments in group.sets for s in segments if s[0] == "BSN"]


def look(stage: Stage, at: float) -> int:
    """Look into ATLAS's inbox when the settle clock shows `at`; how many files were taken."""
    taken = intake.take_files(replace(stage.ctx, monotonic=lambda: at), "ATLAS")
    stage.worker.drain()
    return taken


def test_a070_a_file_written_in_ten_pieces_is_applied_once_after_the_last(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=SETTLED_LATE)
    announce(stage, 77000001)
    content, path = the_944(), stage.folder / "inbox" / "ATLAS" / "slow.edi"
    size = len(content) // 10 + 1
    for piece in range(10):
        with path.open("ab") as stream:
            stream.write(content[piece * size : (piece + 1) * size])
        assert look(stage, 2.0 * piece) == 0
    assert look(stage, 18.0 + 4.9) == 0
    assert look(stage, 18.0 + 5.1) == 1
    assert look(stage, 60.0) == 0
    assert (stage.file("slow.edi").outcome, stage.calls("process", 77000001)) == ("applied", 1)


def test_a070_pieces_with_long_pauses_between_them_wait_for_the_closing_envelope(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=SETTLED_LATE)
    announce(stage, 77000001)
    content, path = the_944(), stage.folder / "inbox" / "ATLAS" / "slow.edi"
    path.write_bytes(content[:300])
    assert [look(stage, at) for at in (0.0, 6.0, 600.0)] == [0, 0, 0]
    (task,) = stage.tasks("incomplete file")
    assert "slow.edi" in task["text"]
    path.write_bytes(content)
    assert [look(stage, at) for at in (601.0, 607.0)] == [0, 1]
    assert (stage.file("slow.edi").outcome, stage.tasks()) == ("applied", [])


def test_an_unfinished_file_that_its_writer_takes_away_asks_nobody_any_more(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=SETTLED_LATE)
    path, other = (stage.folder / "inbox" / "ATLAS" / name for name in ("slow.edi", f"{'long' * 50}.edi"))
    for one in (path, other):
        one.write_bytes(the_944()[:300])
    assert [look(stage, at) for at in (0.0, 6.0, 7.0)] == [0, 0, 0]
    assert len(stage.tasks("incomplete file")) == 2
    path.unlink()
    look(stage, 8.0)
    assert [task["subject"] for task in stage.tasks("incomplete file")] == [f"ATLAS {other.name}"]
    with database.reading(stage.ctx.engine) as connection:
        (told,) = events.of_kinds(connection, ["file.withdrawn"])
    assert told["text"] == "slow.edi from ATLAS: the file is gone: withdrawn by its writer"
    other.write_bytes(the_944())
    assert [look(stage, at) for at in (9.0, 15.0)] == [0, 1]
    with database.reading(stage.ctx.engine) as connection:
        assert len(events.of_kinds(connection, ["file.withdrawn"])) == 1


def test_a070_a_temporary_name_is_left_alone_until_it_is_renamed(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=SETTLED_LATE)
    announce(stage, 77000001)
    path = stage.folder / "inbox" / "ATLAS" / "x.edi.filepart"
    path.write_bytes(the_944())
    assert [look(stage, at) for at in (0.0, 6.0, 60.0)] == [0, 0, 0]
    path.rename(path.with_name("x.edi"))
    assert [look(stage, at) for at in (61.0, 67.0, 70.0)] == [0, 1, 0]
    assert stage.file("x.edi").outcome == "applied"


def test_a071_the_same_content_under_another_name_is_a_duplicate(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    stage.drop("ATLAS", "a.edi", the_944())
    stage.drop("ATLAS", "b.edi", the_944())
    assert (stage.file("a.edi").outcome, stage.file("b.edi").outcome) == ("applied", "duplicate")
    assert "duplicate of a.edi" in stage.file("b.edi").reason
    assert stage.file("b.edi").duplicate_of == stage.file("a.edi").id
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}
    assert (stage.calls("process", 77000001), stage.tasks()) == (1, [])


def test_a072_the_same_receipt_in_a_new_envelope_is_a_duplicate_receipt(stage: Stage) -> None:
    announce(stage, 77000001)
    stage.drop("ATLAS", "a.edi", the_944(number=1))
    stage.drop("ATLAS", "b.edi", the_944(number=2, set_number=7))
    assert stage.file("b.edi").outcome == "duplicate"
    assert "duplicate receipt: WR5501" in stage.file("b.edi").reason
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}
    assert stage.calls("process", 77000001) == 1


def test_a073_a_total_that_does_not_fit_stops_the_receipt_and_says_both_numbers(stage: Stage) -> None:
    announce(stage, 77000001)
    found = stage.receive("RA77000001", ALL_GOOD[77000001], total=4)
    assert (found.outcome, stage.receipts()) == ("error", [])
    assert "lines add up to 3, total says 4" in stage.side_file(found.name)


@pytest.mark.parametrize(("sense", "good"), [("included", 2), ("on_top", 3)])
def test_a074_the_partner_says_whether_damaged_units_are_included(make_stage: Any, sense: str, good: int) -> None:
    stage: Stage = make_stage(edits=(("mappings/atlas.toml", 'damaged_quantity = "included"', f'damaged_quantity = "{sense}"'),))
    stage.world.add_order(5000001074, "#1074", [("TEE-BLK-M", 4)])
    stage.world.open_return(77000074, "#1074", [(740000 + n, "TEE-BLK-M") for n in range(4)], 501)
    stage.import_rmas()
    stage.receive("RA77000074", [Line("TEE-BLK-M", quantity="3", good=2, second=1)], total=3)
    assert stage.lines("RA77000074") == {"TEE-BLK-M": (4, good, 1, 0)}


def test_a074_without_the_setting_the_profile_is_refused(stage: Stage) -> None:
    path = stage.folder / "mappings" / "atlas.toml"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("damaged_quantity")))
    with pytest.raises(config.BrokenSettingsError, match=r"damaged_quantity: must be set.*ask the partner"):
        config.load(str(stage.folder), environment=stage.environment)


def test_a075_of_two_sets_the_good_one_is_applied_and_the_bad_one_told_by_its_place(stage: Stage) -> None:
    announce(stage, 77000001)
    announce(stage, 77000004)
    good = Receipt(lines=ALL_GOOD[77000001], receipt_no="WR5501", final=True)
    bad = Receipt(lines=[Line("HOOD-GRY-M", quantity="ONE")], receipt_no="WR5504", total=1)
    stage.drop("ATLAS", "two.edi", make_944_file([("RA77000001", good), ("RA77000004", bad)], Envelope(number=9)))
    assert stage.file("two.edi").outcome == "partial"
    assert (stage.calls("process", 77000001), stage.calls("process", 77000004)) == (1, 0)
    assert [held.document.receipt_no for held in stage.receipts()] == ["WR5501"]
    side = stage.side_file("two.edi")
    assert "set 2 (944 0002)" in side
    assert "segment 5" in side
    assert "W07" in side
    assert "'ONE'" in side

    rest = stage.folder / "var" / "error" / "ATLAS" / "two.edi.to-correct.edi"
    ((_, control, segments),) = [one for group in read_x12(rest.read_bytes()) for one in group.sets]
    assert (control, complete(rest.read_bytes())) == ("0002", True)
    corrected = rest.read_bytes().replace(b"W07*ONE", b"W07*1").replace(b"000000009", b"000000010")
    stage.drop("ATLAS", "corrected.edi", corrected)
    assert (stage.file("corrected.edi").outcome, stage.file("corrected.edi").reason) == ("applied", "")
    assert stage.lines("RA77000004") == {"HOOD-GRY-M": (1, 1, 0, 0)}
    assert segments[0][:2] == ["ST", "944"]


def test_a077_a_receipt_before_its_ra_waits_and_applies_itself(stage: Stage) -> None:
    stage.drop("ATLAS", "early.edi", the_944())
    (held,) = stage.receipts()
    assert (held.state, held.reason, stage.tasks()) == ("waiting", "RA not known yet", [])
    assert "RA not known yet" in stage.file("early.edi").reason
    announce(stage, 77000001)
    assert [held.state for held in stage.receipts()] == ["applied"]
    assert stage.calls("process", 77000001) == 1


def test_a077_after_24_hours_without_its_ra_it_becomes_a_task_and_still_applies_itself(stage: Stage) -> None:
    stage.drop("ATLAS", "early.edi", the_944())
    stage.wait(23.9 * HOUR)
    stage.job("Upkeep")
    assert stage.tasks() == []
    stage.wait(0.2 * HOUR)
    stage.job("Upkeep")
    (task,) = stage.tasks("unmatched receipt")
    assert "RA77000001" in task["text"]
    announce(stage, 77000001)
    assert (stage.calls("process", 77000001), stage.tasks()) == (1, [])


def test_a078_any_separators_give_the_same_result(stage: Stage) -> None:
    announce(stage, 77000001)
    lines = [Line("TEE-BLK-M", 2, description="Tee * black * M"), Line("HOOD-GRY-M", 1)]
    found = stage.receive("RA77000001", lines, receipt_no="WR5501", final=True, element="|", terminator="\n", newline="")
    assert (found.outcome, found.reason) == ("applied", "")
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}
    assert stage.calls("process", 77000001) == 1


@pytest.mark.parametrize("damage", [{"prefix": b"\xef\xbb\xbf"}, {"suffix": b"   \r\n\r\n"}, {"newline": "\r\n"}, {"newline": ""}])
def test_a078_marks_blanks_and_line_breaks_around_segments_are_tolerated(stage: Stage, damage: dict[str, Any]) -> None:
    announce(stage, 77000004)
    assert stage.receive("RA77000004", ALL_GOOD[77000004], final=True, **damage).outcome == "applied"
    assert stage.calls("process", 77000004) == 1


def test_the_original_is_kept_untouched_in_the_dated_archive(stage: Stage) -> None:
    announce(stage, 77000001)
    stage.drop("ATLAS", "a.edi", the_944())
    file = stage.file("a.edi")
    assert file.place == f"archive/{file.arrived_at:%Y/%m/%d}/ATLAS/a.edi"
    assert (stage.folder / "var" / file.place).read_bytes() == the_944()
    assert list((stage.folder / "var" / "processing" / "ATLAS").iterdir()) == []


def test_the_same_name_with_other_content_is_a_new_file_and_both_are_kept(stage: Stage) -> None:
    announce(stage, 77000001)
    announce(stage, 77000004)
    stage.drop("ATLAS", "receipt.edi", the_944(77000001, number=1))
    stage.drop("ATLAS", "receipt.edi", the_944(77000004, number=2))
    places = [stage.folder / "var" / f.place for f in stage.files() if f.name == "receipt.edi"]
    assert [path.read_bytes() for path in places] == [the_944(77000001, number=1), the_944(77000004, number=2)]
    assert [stage.calls("process", rma) for rma in (77000001, 77000004)] == [1, 1]


def test_the_same_interchange_number_with_other_content_is_held_for_a_decision(stage: Stage) -> None:
    announce(stage, 77000001)
    announce(stage, 77000004)
    stage.drop("ATLAS", "a.edi", the_944(77000001, number=7))
    stage.drop("ATLAS", "b.edi", the_944(77000004, number=7))
    assert stage.file("b.edi").outcome == "held"
    assert "000000007 was used before with other content, in a.edi" in stage.side_file("b.edi")
    assert stage.calls("process", 77000004) == 0
    (task,) = stage.tasks("file held")
    assert "replay" in task["advice"]


def test_the_same_receipt_number_with_other_lines_waits_for_a_person(stage: Stage) -> None:
    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 2), final=False, number="WR1")
    come_back(stage, 77000001, ("TEE-BLK-M", 1), final=False, number="WR1")
    assert stage.lines("RA77000001")["TEE-BLK-M"] == (2, 2, 0, 0)
    (task,) = stage.tasks("receipt changed")
    assert "came again with other lines" in task["text"]


def test_a_name_taken_in_the_outbox_is_never_overwritten(stage: Stage) -> None:
    theirs = stage.folder / "outbox" / "ATLAS" / "ATLAS_856_000000001.edi"
    theirs.write_bytes(b"not ours")
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    assert theirs.read_bytes() == b"not ours"
    (ours,) = [path for path in stage.outbox("ATLAS") if path != theirs]
    assert _ras(ours) == ["RA77000001"]
