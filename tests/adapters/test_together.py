"""Files that share their commits: what is odd with one of them stops none of the others, and each is done once."""

from __future__ import annotations

import pytest

from gateway.folders import FolderTroubleError
from gateway.jobs import intake, transmission
from gateway.store import workqueue
from tests.benchmarks.service import content
from tests.stage import Stage


def drop(stage: Stage, *numbers: int) -> None:
    """Files of the ATLAS warehouse, not taken yet."""
    for number in numbers:
        (stage.folder / "inbox" / "ATLAS" / f"{number}.edi").write_bytes(content(number, 1))


def answered(stage: Stage, *numbers: int) -> list[str]:
    """The jobs of the answers to files that were read, with nothing in the outbox yet."""
    drop(stage, *numbers)
    intake.take_files(stage.ctx, "ATLAS")
    for file in stage.files():
        intake.translate_file(stage.ctx, str(file.id))
    with stage.ctx.engine.connect() as connection:
        return workqueue.keys_of(connection, "deliver")


def test_it_puts_made_files_out_together_and_leaves_one_whose_name_is_taken(stage: Stage) -> None:
    keys = answered(stage, 1, 2, 3)
    taken = next(file for file in stage.files() if str(file.id) == keys[1])
    foreign = stage.folder / "outbox" / "ATLAS" / taken.name
    foreign.write_bytes(b"theirs")
    assert transmission.deliver_together(stage.ctx, keys) == [keys[0], keys[2]]
    assert transmission.deliver_together(stage.ctx, keys) == []
    stage.worker.drain()
    assert foreign.read_bytes() == b"theirs"
    made = [file for file in stage.files() if file.direction == "out"]
    assert [file.state for file in made] == ["delivered"] * 3
    assert {path.name for path in stage.outbox("ATLAS")} == {file.name for file in made} | {taken.name}


def test_a_break_between_staging_and_the_outbox_puts_each_file_out_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = answered(stage, 1, 2, 3)
    put, calls = transmission._put, []

    def dies(*given: object) -> bool:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return put(*given)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(transmission, "_put", dies)
    with pytest.raises(KeyboardInterrupt):
        transmission.deliver_together(stage.ctx, keys)
    monkeypatch.undo()
    assert [file.state for file in stage.files() if file.direction == "out"] == ["staged"] * 3
    (first,) = stage.outbox("ATLAS")
    first.unlink()  # the partner took it meanwhile
    stage.worker.drain()
    assert [file.state for file in stage.files() if file.direction == "out"] == ["delivered"] * 3
    assert len(stage.outbox("ATLAS")) == 2


def test_it_receives_the_others_where_one_file_cannot_be_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(stage, 1, 2, 3)
    folder = stage.ctx.folders["ATLAS"]
    facts = type(folder).facts

    def broken(self: object, place: str) -> object:
        if place.endswith("2.edi"):
            raise FolderTroubleError("a broken sector")
        return facts(folder, place)

    monkeypatch.setattr(type(folder), "facts", broken)
    with pytest.raises(FolderTroubleError, match="sector"):
        intake.take_files(stage.ctx, "ATLAS")
    assert [file.name for file in stage.files()] == ["1.edi"]
    monkeypatch.undo()
    intake.take_files(stage.ctx, "ATLAS")
    assert sorted(file.name for file in stage.files()) == ["1.edi", "2.edi", "3.edi"]
