"""R-143, R-144: receipts put right by a person, what is held, and one action on many things."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import correct as cli_correct
from gateway.jobs import actions, bulk, corrections
from gateway.jobs.corrections import Count, NotCorrectableError
from tests.journeys.steps import announce, come_back, process_in_full
from tests.stage import HOUR, Stage


def correct(stage: Stage, receipt: int = 0, **counts: int) -> str:
    """Dana corrects a receipt to good units by SKU (`_` for `-`); without any she takes it back."""
    number = receipt or stage.receipts()[0].id
    said = {sku.replace("_", "-"): Count(good=good) for sku, good in counts.items()} or None
    told = corrections.correct(stage.ctx, receipt_id=number, counts=said, actor="dana", reason="counted again")
    stage.worker.drain()
    return told


def test_a_receipt_corrected_before_the_decision_counts_as_corrected(stage: Stage) -> None:
    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 1), final=False)
    correct(stage, TEE_BLK_M=2, HOOD_GRY_M=1)
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}
    assert [(r.state, r.reason) for r in stage.receipts()][1] == ("applied", "corrects receipt 1")
    assert (stage.calls("process", 77000001), stage.calls("flag")) == (1, 0)
    assert any("counted again" in e["text"] and e["actor"] == "dana" for e in stage.story_of(77000001)["timeline"])


def test_a_receipt_taken_back_leaves_the_ra_as_if_it_had_never_come(stage: Stage) -> None:
    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 1), final=False)
    correct(stage)
    stage.wait(80 * HOUR)
    stage.job("Upkeep")
    assert (stage.ra("RA77000001").state.value, stage.ra("RA77000001").wait_until) == ("sent", None)
    assert stage.lines("RA77000001")["TEE-BLK-M"] == (2, 0, 0, 0)
    assert stage.calls("process") + stage.calls("flag") == 0


def test_a_correction_withdraws_a_call_that_has_not_left_and_decides_again(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.simulator.faults.add("status", service="loop", match="details", status=503, times=1)
    come_back(stage, 77000004)
    assert [e.kind for e in stage.effects(77000004) if e.state.value == "intended"] == ["loop.process"]
    correct(stage, HOOD_GRY_M=0)
    stage.wait(HOUR)
    assert (stage.calls("process"), stage.calls("flag", 77000004)) == (0, 1)
    withdrawn = next(e for e in stage.effects(77000004) if e.kind == "loop.process")
    assert "never goes out" in actions.retry(stage.ctx, step=str(withdrawn.id), actor="dana")


def test_a_correction_after_the_call_calls_nobody_and_posts_nothing(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    correct(stage, TEE_BLK_M=1, HOOD_GRY_M=1)
    assert (stage.calls("process", 77000001), stage.calls("flag")) == (1, 0)
    assert stage.stock("NJ1", "TEE-BLK-M") == 12
    assert stage.lines("RA77000001")["TEE-BLK-M"] == (2, 1, 0, 1)
    (task,) = stage.tasks("corrected after decision")
    assert "in stock beyond what was received: 1 x TEE-BLK-M" in task["text"]


def test_another_version_of_a_receipt_waits_for_a_person_who_lets_it_count(stage: Stage) -> None:
    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 1), final=False, number="WR1")
    come_back(stage, 77000001, ("TEE-BLK-M", 2), ("HOOD-GRY-M", 1), number="WR1")
    assert [r.state for r in stage.receipts()] == ["applied", "held"]
    assert stage.lines("RA77000001")["TEE-BLK-M"] == (2, 1, 0, 0)
    corrections.accept(stage.ctx, receipt_id=2, actor="dana", reason="the warehouse confirms it")
    stage.worker.drain()
    assert stage.lines("RA77000001")["TEE-BLK-M"] == (2, 2, 0, 0)
    assert (stage.calls("process", 77000001), stage.tasks("receipt changed")) == (1, [])


def test_a_partner_whose_later_version_counts_replaces_its_receipt(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=(("mappings/atlas.toml", "acknowledge = true", 'acknowledge = true\ncorrections = "replace"'),))
    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 1), final=False, number="WR1")
    come_back(stage, 77000001, ("TEE-BLK-M", 2), ("HOOD-GRY-M", 1), number="WR1")
    assert stage.calls("process", 77000001) == 1
    come_back(stage, 77000001, ("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), number="WR1")
    assert (stage.calls("process", 77000001), stage.calls("flag")) == (1, 0)
    assert [task["kind"] for task in stage.tasks()] == ["corrected after decision"]


@pytest.mark.parametrize(("counts", "words"), [({"NOBODY": Count(good=1)}, "items.csv"), ({"HOOD-GRY-M": Count(good=-1)}, "negative")])
def test_a_correction_that_makes_no_sense_changes_nothing(stage: Stage, counts: dict[str, Count], words: str) -> None:
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 0), final=False)
    with pytest.raises(NotCorrectableError, match=words):
        corrections.correct(stage.ctx, receipt_id=1, counts=counts, actor="dana", reason="why not")
    assert [r.state for r in stage.receipts()] == ["applied"]


def test_a_receipt_attached_to_the_wrong_return_can_be_taken_off_and_attached_again(stage: Stage) -> None:
    announce(stage, 77000004)
    announce(stage, 77000001)
    stage.receive("", [("HOOD-GRY-M", 1)], receipt_no="WR9")
    actions.attach(stage.ctx, receipt_id=1, ra="RA77000001", actor="dana")
    stage.worker.drain()
    corrections.detach(stage.ctx, receipt_id=1, actor="dana", reason="wrong parcel")
    stage.worker.drain()
    assert (stage.lines("RA77000001")["HOOD-GRY-M"], stage.receipts()[0].state) == ((1, 0, 0, 0), "unmatched")
    assert len(stage.tasks("unmatched receipt")) == 1
    actions.attach(stage.ctx, receipt_id=1, ra="RA77000004", actor="dana")
    stage.worker.drain()
    assert (stage.calls("process", 77000004), stage.calls("process", 77000001)) == (1, 0)


def test_an_ra_held_at_the_partner_is_not_decided_until_it_is_released(stage: Stage) -> None:
    announce(stage, 77000004)
    actions.hold(stage.ctx, ra="RA77000004", reason="fraud check", actor="dana")
    come_back(stage, 77000004)
    stage.job("LoopExportReturnReceipts")
    assert stage.calls("process") == 0
    actions.release(stage.ctx, ra="RA77000004", reason="it is fine", actor="dana")
    stage.worker.drain()
    assert stage.calls("process", 77000004) == 1


def test_a_return_in_review_in_loop_is_processed_when_a_person_has_put_it_back(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.world.to_review(77000004)
    stage.wait(2)
    stage.import_rmas()
    come_back(stage, 77000004)
    stage.job("LoopExportReturnReceipts")
    assert (stage.calls("process"), len(stage.tasks("in review in Loop"))) == (0, 1)
    stage.world.to_open(77000004)
    stage.wait(2)
    stage.import_rmas()
    assert (stage.calls("process", 77000004), stage.tasks()) == (1, [])


def test_one_action_on_many_tells_what_each_came_to(stage: Stage) -> None:
    announce(stage, 77000001)
    announce(stage, 77000004)
    done = bulk.act(stage.ctx, verb="close", subjects=["RA77000001", "RA9", "RA77000004"], actor="dana", reason="test returns")
    assert [(one.subject, one.ok) for one in done] == [("RA77000001", True), ("RA9", False), ("RA77000004", True)]
    assert "not in the book" in done[1].said
    assert {stage.ra(number).state.value for number in ("RA77000001", "RA77000004")} == {"closed"}


def test_the_command_corrects_takes_back_and_refuses_what_it_cannot_read(stage: Stage) -> None:
    def run(*words: str) -> str:
        done = CliRunner(env=stage.environment).invoke(cli_correct.correct, [*words, "--reason", "counted again", "--yes"], standalone_mode=False)
        return done.output if done.exception is None else str(done.exception)

    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 1), final=False)
    assert "would correct receipt WR5501 (applied): TEE-BLK-M 1 good → TEE-BLK-M 2 good" in run("1", "TEE-BLK-M=2", "--dry-run")
    assert "is no count" in run("1", "TEE-BLK-M:2")
    assert "or --reverse, or --accept" in run("1")
    assert "corrected receipt WR5501" in run("1", "TEE-BLK-M=2", "HOOD-GRY-M=1")
    assert stage.calls("process", 77000001) == 1
