"""Files that share a commit: a fault of one neither stops nor undoes the others, and none is applied twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.jobs import reading_x12
from gateway.simulator.partner_files import Envelope, Receipt, make_944_file
from gateway.store import database
from gateway.store.schema import files, receipts, work_queue
from tests.stage import Stage


def content(number: int, sender: str = "ATLAS3PL") -> bytes:
    """A file of two receipts for RAs that are not known."""
    named = [(f"RA{number}-{place}", Receipt(receipt_no=f"W{number}-{place}", lines=(("TEE-BLK-M", 1),))) for place in (1, 2)]
    return make_944_file(named, Envelope(number=number)).replace(b"ATLAS3PL", sender.encode())


def take(stage: Stage, *contents: bytes) -> dict[str, str]:
    """Drop files and work off everything; outcomes by name."""
    for number, data in enumerate(contents):
        (stage.folder / "inbox" / "ATLAS" / f"{number}.edi").write_bytes(data)
    stage.take()
    with database.reading(stage.ctx.engine) as connection:
        return {row["name"]: row["outcome"] for row in database.rows(connection, files.select().where(files.c.direction == "in"))}


def receipt_numbers(stage: Stage) -> list[str]:
    """The numbers of all receipts in the book."""
    with database.reading(stage.ctx.engine) as connection:
        return sorted(row["receipt_no"] for row in database.rows(connection, receipts.select()))


def test_it_keeps_the_others_when_one_is_refused(stage: Stage) -> None:
    found = take(stage, content(1), content(2, "STRANGER"), content(1), content(3))
    assert found == {"0.edi": "applied", "1.edi": "error", "2.edi": "duplicate", "3.edi": "applied"}
    assert receipt_numbers(stage) == ["W1-1", "W1-2", "W3-1", "W3-2"]
    assert sorted(path.name for path in (stage.folder / "var" / "archive").rglob("*.edi")) == ["0.edi", "2.edi", "3.edi"]


def test_it_reads_each_alone_when_one_hits_a_defect(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, met = reading_x12._take_receipt, []

    def fail_once_inside(*given: object) -> bool:
        applied = whole(*given)  # type: ignore[arg-type]
        met.append(applied)
        if len(met) == 3:
            raise RuntimeError("a defect in the second file, after it wrote")
        return applied

    monkeypatch.setattr(reading_x12, "_take_receipt", fail_once_inside)
    assert set(take(stage, content(1), content(2), content(3)).values()) == {"applied"}
    assert receipt_numbers(stage) == ["W1-1", "W1-2", "W2-1", "W2-2", "W3-1", "W3-2"]


def test_it_gives_files_of_one_name_a_place_each(stage: Stage) -> None:
    for number in (1, 2):
        (stage.folder / "inbox" / "ATLAS" / "same.edi").write_bytes(content(number))
        stage.ctx.folders["ATLAS"].claim_settled(now=stage.ctx.monotonic())
    stage.take()
    with database.reading(stage.ctx.engine) as connection:
        places = {row["place"] for row in database.rows(connection, files.select().where(files.c.direction == "in"))}
        assert not database.rows(connection, work_queue.select())
    assert len(places) == 2
    assert all((Path(stage.folder) / "var" / place).is_file() for place in places)
