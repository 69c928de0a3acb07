"""Receipts of one file are recorded together: each comes to what it would have come to alone (R-075, R-092)."""

from __future__ import annotations

from typing import Any

from gateway.jobs.reading import MOST_DETAILS
from gateway.jobs.receipts import MOST_PENDING
from gateway.simulator.partner_files import Envelope, Receipt, make_944_file
from tests.journeys.steps import announce
from tests.stage import Stage

TEE, HOOD = ("TEE-BLK-M", 2), ("HOOD-GRY-M", 1)
ONE = ("HOOD-GRY-M", 1)


def drop(stage: Stage, *receipts: tuple[str, str, tuple[tuple[str, int], ...]], number: int = 9) -> str:
    """A file of 944s (RA, receipt number, lines); what became of it."""
    sets = [(ra, Receipt(receipt_no=receipt_no, lines=lines, final=True)) for ra, receipt_no, lines in receipts]
    stage.drop("ATLAS", f"{number}.edi", make_944_file(sets, Envelope(number=number)))
    return stage.file(f"{number}.edi").outcome


def unknown(count: int) -> list[tuple[str, str, tuple[tuple[str, int], ...]]]:
    """Receipts of RAs that are not known."""
    return [(f"RA5{number:07d}", f"W{number}", (ONE,)) for number in range(count)]


def test_many_receipts_of_one_file_are_each_recorded_once(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    announce(stage, 77000004)
    many = [*unknown(MOST_PENDING), ("RA77000001", "A1", (TEE, HOOD)), *unknown(3), ("RA77000004", "A4", (ONE,))]
    assert drop(stage, *many) == "applied"
    assert len(stage.receipts()) == MOST_PENDING + 2
    assert (stage.calls("process", 77000001), stage.calls("process", 77000004)) == (1, 1)
    assert [r.ra for r in stage.receipts() if r.state == "applied"] == ["RA77000001", "RA77000004"]
    assert drop(stage, *many[5:20], number=10) == "duplicate"
    assert len(stage.receipts()) == MOST_PENDING + 2


def test_a_receipt_that_stands_twice_in_a_file_counts_once(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    assert drop(stage, ("RA77000001", "A1", (TEE, HOOD)), *unknown(2), ("ra77000001", "A1", (TEE, HOOD))) == "applied"
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}
    assert stage.file("9.edi").reason.startswith("duplicate receipt: A1")


def test_a_number_that_stands_in_a_file_with_other_lines_waits_for_a_person(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    assert drop(stage, ("RA77000001", "A1", (TEE, HOOD)), ("RA77000001", "A1", (HOOD,)), *unknown(1)) == "partial"
    assert [r.state for r in stage.receipts()] == ["applied", "held", "waiting"]
    assert (stage.calls("process", 77000001), stage.calls("flag")) == (1, 0)


def test_a_correction_replaces_within_a_file_where_the_profile_says_so(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=(("mappings/atlas.toml", "acknowledge = true", 'acknowledge = true\ncorrections = "replace"'),))
    announce(stage, 77000001)
    assert drop(stage, *unknown(1), ("RA77000001", "A1", (HOOD,)), ("RA77000001", "A1", (TEE, HOOD)), *unknown(2)[1:]) == "applied"
    assert [r.state for r in stage.receipts()] == ["waiting", "reversed", "applied", "waiting"]
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}


def test_a_group_with_a_fault_takes_back_the_receipts_that_were_not_recorded_yet(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    good = make_944_file([("RA77000001", Receipt(receipt_no="A1", lines=(TEE, HOOD), final=True))], Envelope(number=9))
    stage.drop("ATLAS", "9.edi", good.replace(b"GE*1*", b"GE*7*"))
    assert (stage.file("9.edi").outcome, stage.receipts(), stage.calls("process")) == ("error", [], 0)


def test_the_note_beside_a_file_lists_the_first_faults_and_counts_them_all(stage_on_both: Stage) -> None:
    stage = stage_on_both
    bad = [(f"RA5{number:07d}", Receipt(receipt_no=f"W{number}", lines=(ONE,), segment_count=99)) for number in range(MOST_DETAILS + 5)]
    stage.drop("ATLAS", "9.edi", make_944_file(bad, Envelope(number=9)))
    told = stage.side_file("9.edi")
    assert f"There are {MOST_DETAILS + 5} faults in all." in told
    assert f"\n{MOST_DETAILS}. set" in told and f"\n{MOST_DETAILS + 1}. " not in told
    assert "… and 5 more, which are not listed here." in told
