"""What people do by hand: preview, replay, resend, attach, hold and release, retry, close."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gateway.domain.lifecycle import RaState
from gateway.jobs import actions
from gateway.simulator.partner import Receipt, make_944
from gateway.simulator.world import open_known_return
from gateway.store import database, received
from gateway.views import cases
from tests.journeys.steps import announce
from tests.stage import HOUR, Stage


def hashes(paths: list[Path]) -> list[str]:
    """SHA-256 of files."""
    return [hashlib.sha256(p.read_bytes()).hexdigest() for p in paths]


def test_a063_it_sends_the_same_bytes_again_under_a_new_name(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    (original,) = stage.outbox("ATLAS")
    before = original.read_bytes()
    chosen = actions.find_resendable(stage.ctx, ra="RA77000001", partner=None, since=None)
    assert [f.name for f in chosen] == [original.name]
    actions.resend(stage.ctx, chosen=chosen, actor="dana")
    stage.worker.drain()
    first, second = stage.outbox("ATLAS")
    assert len(set(hashes([first, second]))) == 1
    assert first.read_bytes() == before
    assert {f.name: f.resends for f in stage.files()}[original.name] == 1
    assert stage.story(77000001).count("document.resent") == 1


def test_it_previews_a_file_without_taking_it(stage: Stage, tmp_path: Path) -> None:
    open_known_return(stage.world, 77000003)
    stage.import_rmas()
    path = tmp_path / "receipt.edi"
    path.write_bytes(make_944("RA77000003", [("TEE-BLK-M", 1), ("HOOD-GRY-M", 1)], receipt_no="WR5503", final=True))
    before = (stage.files(), stage.story(77000003))
    found = actions.preview(stage.ctx, partner="ATLAS", path=path, content=path.read_bytes())
    assert found.outcome == "applied"
    assert found.receipts == ("receipt WR5503 for RA77000003: TEE-BLK-M 1 good, HOOD-GRY-M 1 good",)
    assert any(line.startswith("loop.flag on 77000003") for line in found.effects)
    assert any("CAP-NVY-OS short 1 of 1" in line for line in found.effects)
    assert found.answers == 1
    assert (stage.files(), stage.story(77000003)) == before
    assert path.exists()
    assert stage.decision(77000003) is None
    stage.worker.drain()
    assert stage.calls("flag") == 0


def test_a110_a_dry_replay_of_an_applied_receipt_has_no_new_effects(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    stage.partners_answer()
    receipt = next(f for f in stage.files() if f.direction == "in" and "944" in f.name)
    found = actions.replay(stage.ctx, file_id=receipt.id, dry_run=True, accept_control=False, actor="dana")
    assert (found.outcome, found.effects, found.answers) == ("duplicate", (), 0)
    actions.replay(stage.ctx, file_id=receipt.id, dry_run=False, accept_control=False, actor="dana")
    stage.worker.drain()
    stage.loop_finishes()
    assert stage.calls("process", 77000001) == 1
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}
    assert sum(1 for f in stage.files() if f.direction == "out" and "997" in f.name) == 1


def test_it_replays_a_rejected_file_once_its_cause_is_mended(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    content = make_944("RA77000001", [("TEE-BLK-M", 2), ("HOOD-GRY-M", 1)], receipt_no="WR5501", final=True).replace(b"*EA*", b"*CA*")
    stage.drop("ATLAS", "cases.edi", content)
    rejected = next(f for f in stage.files() if f.name == "cases.edi")
    assert (rejected.outcome, "'CA'" in rejected.reason) == ("error", True)
    assert len(stage.tasks("file error")) == 1
    profile = "[receive.x12_receipt]"
    stage.reopen(("mappings/atlas.toml", profile, f"{profile}\nunits = {{ EA = 1, CA = 1 }}"))
    actions.replay(stage.ctx, file_id=rejected.id, dry_run=False, accept_control=False, actor="dana")
    stage.worker.drain()
    again = next(f for f in stage.files() if f.name == "cases.edi")
    assert (again.outcome, again.place.split("/")[0]) == ("applied", "archive")
    assert stage.tasks("file error") == []
    assert stage.calls("process", 77000001) == 1


def test_a085_an_attached_receipt_leads_to_one_process_call(stage: Stage) -> None:
    open_known_return(stage.world, 77000004)
    stage.import_rmas()
    tracking = stage.ra("RA77000004").document.tracking_numbers[0]
    stage.drop("ATLAS", "blind.edi", make_944("", [("HOOD-GRY-M", 1)], receipt_no="WR9", tracking=tracking, final=True))
    assert [t["kind"] for t in stage.tasks()] == ["unmatched receipt"]
    with database.reading(stage.ctx.engine) as connection:
        (waiting,) = received.waiting_receipts(connection, naming=tracking)
    best = stage.candidates(waiting.id)[0]
    assert best.rma == "77000004"
    assert f"tracking number {tracking} is the same" in best.evidence
    number = waiting.id
    actions.attach(stage.ctx, receipt_id=number, ra="RA77000004", actor="dana")
    stage.worker.drain()
    assert stage.calls("process", 77000004) == 1
    assert stage.tasks() == []
    with pytest.raises(actions.UnknownNumberError):
        actions.attach(stage.ctx, receipt_id=number, ra="RA77000004", actor="dana")


def test_it_holds_and_releases_an_ra_before_it_is_sent(stage: Stage) -> None:
    stage.reopen(("mappings/atlas.toml", "[send]", "[send]\npaused = true"))
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    assert stage.outbox("ATLAS") == []
    assert "is paused" in stage.ra("RA77000001").hold
    actions.hold(stage.ctx, ra="RA77000001", reason="address being checked", actor="dana")
    stage.reopen(("mappings/atlas.toml", "[send]\npaused = true", "[send]"))
    stage.job("TransmitReturnAuthorizations")
    assert stage.outbox("ATLAS") == []
    actions.release(stage.ctx, ra="RA77000001", actor="dana")
    stage.worker.drain()
    assert len(stage.outbox("ATLAS")) == 1
    assert stage.ra("RA77000001").state == RaState.SENT


def test_it_closes_an_ra_by_hand_without_calling_loop(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    actions.close(stage.ctx, ra="RA77000001", reason="parcel lost", actor="dana")
    stage.worker.drain()
    assert stage.ra("RA77000001").state == RaState.CLOSED
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 0, 0, 2), "HOOD-GRY-M": (1, 0, 0, 1)}
    assert stage.calls("process") + stage.calls("flag") + stage.calls("close") == 0


def test_it_tries_a_refused_step_again_only_when_asked(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    body = {"errors": {"message": "Return is open and therefore cannot be processed.", "code": "UNPROCESSABLE_FLAGGED_RETURN"}}
    stage.simulator.faults.add("error_body", service="loop", match="process", body=body)
    stage.partners_answer()
    stage.wait(3600)
    effect = next(e for e in stage.effects(77000001) if e.kind == "loop.process")
    assert (effect.state.value, stage.calls("process", 77000001)) == ("failed", 1)
    assert "UNPROCESSABLE" not in stage.tasks("process refused")[0]["text"]
    said = actions.retry(stage.ctx, step=str(effect.id), actor="dana")
    stage.worker.drain()
    assert "is queued" in said
    assert stage.effects(77000001)[1].state.value == "confirmed"
    assert stage.tasks("process refused") == []
    assert "is not repeated" in actions.retry(stage.ctx, step=str(effect.id), actor="dana")
    stage.worker.drain()
    assert stage.simulator.calls.count("process", "77000001", accepted=True) == 1


def test_it_looks_before_it_repeats_what_is_in_doubt_however_impatient_a_person_is(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    stage.world.settings.processing_delay = 30
    stage.simulator.faults.add("drop_after_effect", service="loop", match="process")
    stage.partners_answer()
    effect = next(e for e in stage.effects(77000001) if e.kind == "loop.process")
    assert effect.state.value == "in_doubt"
    assert "looked up first" in actions.retry(stage.ctx, step=str(effect.id), actor="dana")
    stage.worker.drain()
    assert stage.calls("process", 77000001) == 1
    stage.wait(40)
    stage.wait(40)
    stage.loop_finishes()
    assert stage.effects(77000001)[1].state.value == "confirmed"
    assert stage.calls("process", 77000001) == 1


def test_a_receipt_of_several_days_is_told_with_its_files(stage: Stage) -> None:
    open_known_return(stage.world, 77000003)
    stage.atlas.script = {"77000003": Receipt(lines=[("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0)], final=True)}
    stage.import_rmas()
    stage.partners_answer()
    with database.reading(stage.ctx.engine) as connection:
        said = " ".join(cases.explain(connection, "77000003"))
    assert 'under the rule "short → flag", because 2 of 3 units came: CAP-NVY-OS short 1 of 1, value 27.00' in said
    assert "Receipt WR5503 (file ATLAS_944_" in said


def test_it_offers_the_documents_of_a_range_of_time(stage: Stage) -> None:
    start = stage.ctx.now()
    announce(stage, 77000001)
    stage.wait(2 * HOUR)
    middle = stage.ctx.now()
    announce(stage, 77000004)
    offered = actions.find_resendable(stage.ctx, ra=None, partner="ATLAS", since=start, until=middle)
    assert [file.name for file in offered] == [stage.documents("RA77000001")[0]["file_name"]]
    assert len(actions.find_resendable(stage.ctx, ra=None, partner="ATLAS", since=start)) == 2
