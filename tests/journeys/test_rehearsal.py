"""A-130: a partner in testing sees everything happen and makes nothing happen; it goes live when its checklist is done."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from gateway.cli import partner_stage
from gateway.domain.lifecycle import RaState
from gateway.jobs import rehearsing
from gateway.jobs.rehearsing import NotReadyError
from gateway.simulator.partner import make_944
from gateway.store import database
from gateway.views import rehearsals
from tests.journeys.steps import ALL_GOOD, announce
from tests.stage import Stage

TESTING = ("mappings/atlas.toml", 'stage = "live"', 'stage = "testing"')
LIVE = ("mappings/atlas.toml", 'stage = "testing"', 'stage = "live"')


@pytest.fixture
def trying(make_stage: Any) -> Stage:
    """ATLAS is in testing; 77000001 was announced to it."""
    stage: Stage = make_stage(edits=(TESTING,))
    stage.job("Upkeep")
    announce(stage, 77000001)
    return stage


def try_(stage: Stage, name: str, ra: str, *lines: object, **options: Any) -> None:
    """ATLAS drops a 944 into its test inbox."""
    number = next(stage.numbers)
    content = make_944(ra, lines, number=number, usage="T", receipt_no=options.pop("receipt_no", f"T{number}"), **{"final": True} | options)
    (stage.folder / "inbox" / "ATLAS" / "test" / name).write_bytes(content)
    stage.take()


def shown(stage: Stage) -> set[str]:
    """The cases that are ticked."""
    with database.reading(stage.ctx.engine) as connection:
        return {check.case for check in rehearsals.checklist(connection, partner="ATLAS") if check.shown_by}


def test_a130_a_partner_in_testing_makes_no_stock_no_invoice_and_no_call_and_the_good_case_ticks(trying: Stage) -> None:
    before = stage_calls(trying)
    try_(trying, "good.edi", "RA77000001", *ALL_GOOD[77000001])
    for job in ("LoopExportReturnReceipts", "ShopifyImportRefunds", "ShopifyExportInventory", "Upkeep"):
        trying.job(job)
    assert shown(trying) == {"good"}
    assert stage_calls(trying) == before == (0, 0, 0)
    assert (trying.invoices(), trying.stock("NJ1", "TEE-BLK-M")) == ({}, 10)
    assert (trying.decision(77000001), trying.lines("RA77000001")["TEE-BLK-M"]) == (None, (2, 0, 0, 0))
    assert (trying.receipts()[0].state, trying.file("good.edi").outcome) == ("test", "applied")
    assert "would be decided: process" in trying.file("good.edi").reason


def stage_calls(stage: Stage) -> tuple[int, int, int]:
    """Writes that reached Loop."""
    return stage.calls("process"), stage.calls("flag"), stage.calls("note")


def test_a130_its_documents_lie_in_the_test_folders_and_are_marked_as_test(trying: Stage) -> None:
    (sent,) = (trying.folder / "outbox" / "ATLAS" / "test").glob("*.edi")
    assert b"*T*>~" in sent.read_bytes().splitlines()[0]
    assert trying.outbox("ATLAS") == []
    try_(trying, "good.edi", "RA77000001", *ALL_GOOD[77000001])
    answers = [path for path in (trying.folder / "outbox" / "ATLAS" / "test").glob("*.edi") if b"ST*997" in path.read_bytes()]
    assert len(answers) == 1
    assert b"*T*>~" in answers[0].read_bytes().splitlines()[0]


@pytest.mark.parametrize(
    ("lines", "case"),
    [
        ((("TEE-BLK-M", 1, 1), ("HOOD-GRY-M", 1)), "damaged"),
        ((("TEE-BLK-M", 2),), "short"),
        ((("TEE-BLK-M", 3), ("HOOD-GRY-M", 1)), "over"),
        ((("TEE-BLK-M", 2), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 1)), "wrong item"),
    ],
)
def test_each_case_ticks_by_what_comes(trying: Stage, lines: tuple[object, ...], case: str) -> None:
    try_(trying, "case.edi", "RA77000001", *lines)
    assert shown(trying) == {case}


def test_files_as_a_whole_tick_too(trying: Stage) -> None:
    try_(trying, "a.edi", "RA-NOBODY", ("TEE-BLK-M", 1), receipt_no="T1")
    try_(trying, "b.edi", "RA-NOBODY", ("TEE-BLK-M", 1), receipt_no="T1")
    (trying.folder / "inbox" / "ATLAS" / "test" / "c.edi").write_bytes(b"this is no EDI at all")
    trying.take()
    assert shown(trying) == {"unknown RA", "duplicate", "malformed"}


def test_changes_and_cancels_tick_when_the_partner_has_taken_them(make_stage: Any) -> None:
    silent = ("mappings/atlas.toml", "expect_acknowledgement = true", "expect_acknowledgement = false")
    stage: Stage = make_stage(edits=(TESTING, silent))
    announce(stage, 77000003)
    stage.world.edit(77000003, remove=[830003])
    stage.wait(2)
    stage.import_rmas()
    stage.world.cancel(77000003)
    stage.wait(2)
    stage.import_rmas()
    assert shown(stage) == {"change", "cancel"}


def test_it_goes_live_only_when_every_case_is_shown_or_waived_and_its_open_ras_are_sent_for_real(trying: Stage) -> None:
    ask = {"partner": "ATLAS", "stage": "live", "actor": "dana"}
    with pytest.raises(NotReadyError, match="damaged"):
        rehearsing.check_stage(trying.ctx, **ask)
    for case in rehearsals.CASES:
        rehearsing.waive(trying.ctx, partner="ATLAS", case=case, actor="dana", reason="the same as PACIFIC")
    assert rehearsing.check_stage(trying.ctx, **ask) == "ATLAS may be live"
    trying.reopen(LIVE)
    trying.job("Upkeep")
    assert len(trying.outbox("ATLAS")) == 1
    assert b"BSN*00*" in trying.outbox("ATLAS")[0].read_bytes()
    assert (trying.ra("RA77000001").state, trying.alerts()) == (RaState.SENT, [])
    trying.receive("RA77000001", ALL_GOOD[77000001], receipt_no="WR5501", final=True)
    assert trying.calls("process", 77000001) == 1


def test_a_live_partners_test_folder_has_no_effect_either(stage: Stage) -> None:
    announce(stage, 77000001)
    try_(stage, "good.edi", "RA77000001", *ALL_GOOD[77000001])
    assert (stage.calls("process"), stage.lines("RA77000001")["TEE-BLK-M"]) == (0, (2, 0, 0, 0))
    stage.receive("RA77000001", ALL_GOOD[77000001], receipt_no="T1001", final=True)
    assert stage.calls("process", 77000001) == 1


def test_the_commands_list_waive_and_bring_a_partner_live_by_its_profile(trying: Stage) -> None:
    def run(command: click.Command, *words: str) -> tuple[object, str]:
        done = CliRunner(env=trying.environment).invoke(command, list(words), standalone_mode=False)
        return done.return_value if done.exception is None else type(done.exception), done.output

    try_(trying, "good.edi", "RA77000001", *ALL_GOOD[77000001])
    assert run(partner_stage.checklist, "atlas")[0] == 2
    assert run(partner_stage.stage, "ATLAS", "live", "--yes")[0] is NotReadyError
    for case in rehearsals.CASES:
        run(partner_stage.waive, "ATLAS", case, "--reason", "known from before")
    assert run(partner_stage.checklist, "ATLAS")[0] == 0
    code, said = run(partner_stage.stage, "ATLAS", "live", "--yes")
    assert (code, "ATLAS is live now (atlas.toml)" in said) == (0, True)
    assert 'stage = "live"' in (trying.folder / "mappings" / "atlas.toml").read_text()


def test_a_profile_without_a_stage_gets_the_line(trying: Stage) -> None:
    assert partner_stage.with_stage('partner = "X"\nname = "Y"\n', "testing") == 'partner = "X"\nstage = "testing"\nname = "Y"\n'
