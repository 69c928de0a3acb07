"""What is kept and what goes: retention, a person's data on request, the case bundle."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli.main import cli
from gateway.jobs import keeping
from gateway.mapping.profile_parts import ReadCsvReceipt
from gateway.simulator.partner import make_944
from gateway.store import database, events, returns
from gateway.store import keeping as store
from gateway.views import bundles, health, records, tying
from tests.journeys.steps import ALL_GOOD, announce, process_in_full
from tests.stage import HOUR, Stage

DAY = 24 * HOUR


def finish(stage: Stage, rma: int = 77000001) -> None:
    """A return, whole and closed, and sealed."""
    process_in_full(stage, rma)
    stage.import_refunds()
    stage.job("Upkeep")


def verify(stage: Stage) -> list[str]:
    """What is broken."""
    return health.verify(stage.ctx.engine, stage.ctx.folders)


def everything(stage: Stage) -> bytes:
    """Every byte of the database's files and of the folders under `var`, without the log of what a person typed."""
    return b"".join(path.read_bytes() for path in sorted((stage.folder / "var").rglob("*")) if path.is_file())


def purge(stage: Stage, *, dry_run: bool = False) -> dict[str, int]:
    """Purge; the counts."""
    return {kind: int(count) for kind, _, count in (reason.partition(": ") for reason in keeping.purge(stage.ctx, dry_run=dry_run).reasons)}


def test_files_go_after_180_days_and_records_are_emptied_after_two_years(stage: Stage) -> None:
    finish(stage)
    archived = stage.folder / "var" / next(f for f in stage.files() if "944" in f.name).place
    assert archived.is_file()
    stage.wait(179 * DAY)
    assert purge(stage)["files"] == 0
    stage.wait(2 * DAY)
    assert purge(stage, dry_run=True)["files"] == 3
    assert archived.is_file()
    assert purge(stage)["files"] == 3
    assert not archived.exists()
    assert purge(stage)["files"] == 0
    assert verify(stage) == []
    stage.wait(600 * DAY)
    stage.job("Upkeep")
    with database.reading(stage.ctx.engine) as connection:
        before = (records.export(connection, "ras"), records.export(connection, "stock"), tying.tie_out(connection).amounts)
    assert purge(stage)["returns"] == 1
    stage.job("Upkeep")
    with database.reading(stage.ctx.engine) as connection:
        after = (records.export(connection, "ras"), records.export(connection, "stock"), tying.tie_out(connection).amounts)
        words = {e["word"] for e in events.of_return(connection, "77000001")}
    assert before == after
    assert words == {"emptied", "stock.posted", "invoice.made"}
    assert verify(stage) == []


def test_nothing_goes_that_is_still_open(stage: Stage) -> None:
    announce(stage, 77000001)
    stage.receive("RA-NOBODY", [("HOOD-GRY-M", 1)], receipt_no="WR9", final=True)
    stage.wait(3000 * DAY)
    counts = purge(stage)
    assert (counts["files"], counts["returns"]) == (1, 0), "only our own acknowledgement of the stranger's file is finished"
    assert next(f for f in stage.files() if f.name.startswith("ATLAS_856")).content is not None
    stage.partners_answer()
    assert stage.calls("process", 77000001) == 1


def test_what_was_purged_is_still_known_as_a_duplicate(stage: Stage) -> None:
    finish(stage)
    content = (stage.folder / "var" / next(f for f in stage.files() if "944" in f.name).place).read_bytes()
    stage.wait(800 * DAY)
    purge(stage)
    stage.drop("ATLAS", "again.edi", content)
    assert stage.file("again.edi").outcome == "duplicate"
    assert stage.calls("process", 77000001) == 1
    stage.import_refunds()
    assert len(stage.invoices()) == 1


def test_a_purge_that_was_killed_between_commit_and_unlink_is_ended_by_the_next(stage: Stage) -> None:
    finish(stage)
    stage.wait(181 * DAY)
    file = next(f for f in stage.files() if "944" in f.name)
    with database.writing(stage.ctx.engine) as connection:
        store.change_files(connection, [file.id], state="purging")
    assert verify(stage) == []
    purge(stage)
    assert not (stage.folder / "var" / file.place).exists()


def write_about_jane(stage: Stage) -> None:
    """A return whose papers tell about a person, closed."""
    ra = announce(stage, 77000001)
    lines = ALL_GOOD[77000001]
    text = make_944(ra, lines, number=1001, receipt_no="WR5501", final=True)
    named = text.replace(b"W07*", b"NTE*WHI*JANE DOE jane@example.com called~\nW07*", 1)
    count = named.count(b"~") - 4
    stage.drop("ATLAS", "jane.edi", _recount(named, count))
    stage.loop_finishes()
    stage.import_refunds()
    with database.writing(stage.ctx.engine) as connection:
        events.note(connection, "ra.held", "Jane Doe (jane@example.com) called", at=stage.ctx.now(), rma="77000001", actor="dana")
    stage.job("Upkeep")


def _recount(content: bytes, count: int) -> bytes:
    import re

    return re.sub(rb"SE\*\d+\*", b"SE*%d*" % count, content)


def test_a_persons_data_goes_from_book_archive_and_free_pages_and_all_totals_stay(stage: Stage) -> None:
    write_about_jane(stage)
    tracking = stage.ra("RA77000001").document.tracking_numbers[0]
    assert all(word in everything(stage) for word in (b"jane@example.com", b"JANE DOE", tracking.encode()))
    with database.reading(stage.ctx.engine) as connection:
        before = tying.tie_out(connection)
    looked = keeping.forget(stage.ctx, order="#1001", terms=["jane@example.com", "Jane Doe"], actor="dana", dry_run=True)
    assert looked["events"] >= 1
    assert b"jane@example.com" in everything(stage)
    done = keeping.forget(stage.ctx, order="#1001", terms=["jane@example.com", "Jane Doe"], actor="dana")
    assert done["files"] >= 2
    stage.job("Upkeep")
    left = everything(stage)
    assert [word for word in (b"jane@example.com", b"JANE DOE", b"Jane Doe", tracking.encode()) if word in left] == []
    assert verify(stage) == []
    with database.reading(stage.ctx.engine) as connection:
        assert tying.tie_out(connection) == before
    jane = next(f for f in stage.files() if f.name == "jane.edi")
    assert (stage.folder / "var" / jane.place).stat().st_size == jane.size


def test_what_was_forgotten_does_not_come_back_with_the_next_import(stage: Stage) -> None:
    finish(stage)
    keeping.forget(stage.ctx, order="1001", terms=[], actor="dana")
    stage.job("LoopImportReturnAuthorizations", rma="77000001")
    with database.reading(stage.ctx.engine) as connection:
        held = returns.load_return(connection, "77000001")
    assert held is not None
    assert {label.tracking_number for label in held.document.labels} == {""}


def test_a_word_inside_an_identifier_changes_no_identifier() -> None:
    kept = '{"lines":[{"comment":"the Hood is torn","sku":"HOOD-GRY-M"}],"note":"Mr Hood","rma":"77000001"}'
    masked = store.mask_words(kept, ["hood"])
    assert masked == '{"lines":[{"comment":"the XXXX is torn","sku":"HOOD-GRY-M"}],"note":"Mr XXXX","rma":"77000001"}'
    assert store.mask_words("HOOD-GRY-M for Mr Hood", ["Mr Hood"]) == "HOOD-GRY-M for XXXXXXX"


def test_an_open_return_and_too_short_a_word_are_refused(stage: Stage) -> None:
    announce(stage, 77000001)
    with pytest.raises(keeping.NotFinishedError):
        keeping.forget(stage.ctx, order="#1001", terms=[], actor="dana")
    with pytest.raises(keeping.TooShortError):
        keeping.forget(stage.ctx, order=None, terms=["Jo"], actor="dana")


def unpack(content: bytes) -> dict[str, bytes]:
    """The parts of a bundle."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_bundle_has_everything_masked_and_is_the_same_every_time(stage: Stage) -> None:
    write_about_jane(stage)
    tracking = stage.ra("RA77000001").document.tracking_numbers[0]
    with database.reading(stage.ctx.engine) as connection:
        first, again = (bundles.bundle(connection, "77000001", stage.ctx.folders, stage.ctx.profiles) for _ in range(2))
    assert first == again
    parts = unpack(first)
    assert {"README.txt", "why.txt", "timeline.txt", "story.json", "calls.json"} <= set(parts)
    assert sum(1 for name in parts if name.startswith("documents/")) >= 2
    whole = b"".join(parts.values())
    assert [word for word in (b"jane@example.com", tracking.encode()) if word in whole] == []
    assert tracking[-4:].encode() in whole
    assert b"loop.process" in parts["calls.json"]
    assert b"was processed" in parts["why.txt"]


def test_a_bundle_only_names_a_very_large_file(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    process_in_full(stage, 77000001)
    monkeypatch.setattr(bundles, "LARGEST", 100)
    with database.reading(stage.ctx.engine) as connection:
        parts = unpack(bundles.bundle(connection, "77000001", stage.ctx.folders, stage.ctx.profiles))
    (told,) = (content.decode() for name, content in parts.items() if "-in-" in name and b"too large" in content)
    file = next(file for file in stage.files() if file.direction == "in")
    assert (file.sha256 in told, file.place in told) == (True, True)


def test_names_and_addresses_inside_documents_are_written_over_in_place() -> None:
    isa = b"ISA*00*          *00*          *ZZ*ATLAS3PL       *ZZ*HARBORPINE     *261125*0700*U*00401*000000001*0*P*>~"
    content = isa + b"N1*SF*RETURNING CUSTOMER~N3*12 ELM STREET~N4*AKRON*OH*44301~W07*2*EA~"
    masked = bundles.mask_document(content, [])
    assert masked == isa + b"N1*SF*RETURNING CUSTOMER~N3*XX XXX XXXXXX~N4*XXXXX*XX*XXXXX~W07*2*EA~"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_of_a_delimited_file_only_the_columns_stay_that_the_profile_knows(mark: str) -> None:
    written = f'{mark}RA Number,Customer,SKU,Qty,Note\r\nRA1,"Doe, ""JJ"" Jane",TEE-1,2,call Zoë 555-1234\r\n"RA2",Bo,CAP,1,\r\n'.encode()
    masked = bundles.mask_columns(written, ReadCsvReceipt(conditions={"ok": "good"}, numbered_as="{ra}"))
    lines = masked.decode().splitlines()
    assert lines[0] == f"{mark}RA Number,Customer,SKU,Qty,Note"
    assert lines[1] == 'RA1,"XXX, ""XX"" XXXX",TEE-1,2,XXXX XXXX XXX-XXXX'
    assert lines[2] == '"RA2",XX,CAP,1,'
    assert len(masked) == len(written)


def test_a_delimited_file_with_kinds_of_rows_keeps_the_places_that_the_profile_knows() -> None:
    rules = ReadCsvReceipt(
        header=False,
        record_column=1,
        records={"D": "line", "H": "header"},
        columns={"sku": (2,), "quantity": (3,), "note": (4,)},
        numbered_as="{ra}",
        conditions={"ok": "good"},
        header_columns={"ra": 2},
    )
    assert bundles.mask_columns(b"H,RA1,7,JANE\nD,TEE,2,AKRON\n", rules) == b"H,RA1,7,XXXX\nD,TEE,2,XXXXX\n"


def command(stage: Stage, *arguments: str) -> Any:
    """A command in the stage's workspace."""
    return CliRunner().invoke(cli, [*arguments, "--config", str(stage.folder)], env=stage.environment, standalone_mode=False)


def test_the_commands_say_what_would_go_and_need_a_yes(stage: Stage, tmp_path: Path) -> None:
    finish(stage)
    stage.wait(200 * DAY)
    assert "files: 3" in command(stage, "purge", "--dry-run").output
    refused = command(stage, "purge")
    assert "--yes" in str(refused.exception)
    assert json.loads(command(stage, "purge", "--yes", "--json").output)["count"] >= 3
    assert "Would be removed from" in command(stage, "forget", "--order", "1001", "--dry-run").output
    assert "--yes" in str(command(stage, "forget", "--order", "1001").exception)
    assert "Removed from" in command(stage, "forget", "--order", "1001", "--yes").output
    out = tmp_path / "case.zip"
    assert json.loads(command(stage, "bundle", "RA77000001", "--out", str(out), "--json").output)["size"] == out.stat().st_size
    with sqlite3.connect(stage.folder / "var" / "gateway.db") as book:
        assert book.execute("PRAGMA integrity_check").fetchone() == ("ok",)
