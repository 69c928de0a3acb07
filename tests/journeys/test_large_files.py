"""A very large file is recorded in pieces, so that nobody waits for all of it; it comes to what one transaction would have come to."""

from __future__ import annotations

import pytest

from gateway.jobs import intake, reading_large
from gateway.jobs.context import Context
from gateway.jobs.reading import Reading
from gateway.mapping.profiles import Profile
from gateway.simulator.partner_files import Envelope, Receipt, make_944_file
from gateway.store import database, files
from gateway.store.files import File
from tests.journeys.steps import ALL_GOOD, announce, the_944
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


def comes_to_all(stage: Stage, *, others: int = 0) -> None:
    """Every receipt is there once, the return is processed once, and the file is answered once."""
    file = stage.file("9.edi")
    assert (file.outcome, file.state, len(stage.receipts())) == ("applied", "shelved", SETS + others)
    assert "duplicate" not in file.reason
    assert stage.calls("process", 77000001) == 1
    answers = [made.name[:9] for made in stage.files() if made.direction == "out" and made.name.startswith("ATLAS_997")]
    assert answers == ["ATLAS_997"] * (1 + others)


def test_it_is_recorded_in_pieces_that_others_see_and_answered_once(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    record, seen = reading_large._record, []

    def watched(*given: object) -> None:
        seen.append(len(stage.receipts()))  # over a connection of its own: what is committed
        record(*given)  # type: ignore[arg-type]  # passed on

    with pytest.MonkeyPatch.context() as watching:
        watching.setattr(reading_large, "_record", watched)
        stage.drop("ATLAS", "9.edi", large())
    assert seen == [0, 50, 100]
    comes_to_all(stage)
    stage.drop("ATLAS", "10.edi", large(10))
    assert (stage.file("10.edi").outcome, len(stage.receipts())) == ("duplicate", SETS)


@pytest.mark.parametrize("meanwhile", ["nothing", "another with its number"])
def test_it_goes_on_where_it_was_broken_off(stage_on_both: Stage, meanwhile: str) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    (stage.folder / "inbox" / "ATLAS" / "1.edi").write_bytes(the_944(77000004, number=9 if meanwhile != "nothing" else 8))
    intake.take_files(stage.ctx, "ATLAS")
    record, calls = reading_large._record, []

    def dies(*given: object) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        record(*given)  # type: ignore[arg-type]  # passed on

    with pytest.MonkeyPatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(reading_large, "_record", dies)
        (stage.folder / "inbox" / "ATLAS" / "9.edi").write_bytes(large())
        intake.take_files(stage.ctx, "ATLAS")
        intake.translate_file(stage.ctx, str(stage.file("9.edi").id))
    with database.reading(stage.ctx.engine) as connection:
        assert [file.state for file in files.unfinished(connection) if file.name == "9.edi"] == ["taken"]
    assert len(stage.receipts()) == reading_large.PIECE
    stage.worker.drain()  # first the one that came before it
    assert stage.file("1.edi").outcome == "applied"
    comes_to_all(stage, others=1)


@pytest.mark.parametrize("fault", [(b"GE*120*", b"GE*121*"), (b"IEA*1*", b"IEA*2*"), (b"ATLAS3PL ", b"NOBODY   ")])
def test_it_is_recorded_only_when_all_of_its_envelopes_are_right(stage_on_both: Stage, fault: tuple[bytes, bytes]) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    stage.drop("ATLAS", "9.edi", large().replace(*fault))
    assert (stage.file("9.edi").outcome, stage.receipts(), stage.calls("process")) == ("error", [], 0)


def test_what_is_no_receipt_in_it_is_told_as_in_any_file(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    stage.drop("ATLAS", "9.edi", large().replace(b"W14*1~", b"W14*7~", 2).replace(b"W07*1*EA**SK*TEE-BLK-M", b"W07*X*EA**SK*TEE-BLK-M", 1))
    assert (stage.file("9.edi").outcome, len(stage.receipts())) == ("partial", SETS - 2)
    told = stage.side_file("9.edi")
    assert told.startswith("set 1 (944 0001)") and "set 2 (944 0002)" in told
    assert stage.calls("process", 77000001) == 1


def test_what_is_recorded_of_it_stays_when_another_file_took_its_number_meanwhile(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    record = reading_large.record
    inbox = stage.folder / "inbox" / "ATLAS"
    for name, content in (("1.edi", the_944(77000004, number=9)), ("9.edi", large())):
        (inbox / name).write_bytes(content)
        intake.take_files(stage.ctx, "ATLAS")
    first, second = (str(stage.file(name).id) for name in ("1.edi", "9.edi"))

    def meanwhile(ctx: Context, file: File, profile: Profile) -> Reading | None:
        found = record(ctx, file, profile)
        if file.name == "9.edi":
            intake.translate_file(ctx, first)
        return found

    with pytest.MonkeyPatch.context() as interfering:
        interfering.setattr(reading_large, "record", meanwhile)
        intake.translate_file(stage.ctx, second)
    stage.worker.drain()
    assert (stage.file("9.edi").outcome, stage.file("1.edi").outcome, len(stage.receipts())) == ("applied", "applied", SETS + 1)
