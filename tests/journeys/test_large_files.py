"""A very large file is recorded in pieces, so that nobody waits for all of it; it comes to what one transaction would have come to."""

from __future__ import annotations

import pytest

from gateway.jobs import reading_large
from gateway.simulator.partner_files import Envelope, Receipt, make_944_file
from gateway.store import database, files
from tests.journeys.steps import ALL_GOOD, announce
from tests.stage import Stage

SETS = 120


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is large and what is a piece, in sizes that are read quickly."""
    monkeypatch.setattr(reading_large, "LARGE", 10_000)
    monkeypatch.setattr(reading_large, "PIECE", 50)


def large(number: int = 9) -> bytes:
    """A file whose last receipt but one is for RA77000001."""
    lines = (("TEE-BLK-M", 1),)
    sets = [(f"RA5{place:07d}", Receipt(receipt_no=f"W{place}", lines=lines, warehouse="NJ1", final=True)) for place in range(SETS)]
    sets[-2] = ("RA77000001", Receipt(receipt_no="A1", lines=ALL_GOOD[77000001], warehouse="NJ1", final=True))
    return make_944_file(sets, Envelope(number=number))


def comes_to_all(stage: Stage) -> None:
    """Every receipt is there once, the return is processed once, and the file is answered once."""
    file = stage.file("9.edi")
    assert (file.outcome, file.state, len(stage.receipts())) == ("applied", "shelved", SETS)
    assert "duplicate" not in file.reason
    assert stage.calls("process", 77000001) == 1
    assert [made.name[:9] for made in stage.files() if made.direction == "out" and made.name.startswith("ATLAS_997")] == ["ATLAS_997"]


def test_it_is_recorded_in_pieces_and_answered_once(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    stage.drop("ATLAS", "9.edi", large())
    comes_to_all(stage)
    stage.drop("ATLAS", "10.edi", large(10))
    assert (stage.file("10.edi").outcome, len(stage.receipts())) == ("duplicate", SETS)


def test_it_goes_on_where_it_was_broken_off(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    record, calls = reading_large._record, []

    def dies(*given: object) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        record(*given)  # type: ignore[arg-type]  # passed on

    with pytest.MonkeyPatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(reading_large, "_record", dies)
        stage.drop("ATLAS", "9.edi", large())
    with database.reading(stage.ctx.engine) as connection:
        assert [file.state for file in files.unfinished(connection) if file.name == "9.edi"] == ["taken"]
    assert len(stage.receipts()) == reading_large.PIECE
    stage.wait(400)  # until its lease is over
    comes_to_all(stage)


@pytest.mark.parametrize("fault", [(b"GE*120*", b"GE*121*"), (b"IEA*1*", b"IEA*2*"), (b"ATLAS3PL ", b"NOBODY   ")])
def test_it_is_recorded_only_when_all_of_its_envelopes_are_right(stage_on_both: Stage, fault: tuple[bytes, bytes]) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    stage.drop("ATLAS", "9.edi", large().replace(*fault))
    assert (stage.file("9.edi").outcome, stage.receipts(), stage.calls("process")) == ("error", [], 0)
