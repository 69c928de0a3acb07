"""A-080 to A-089: receipts matched to RAs, decided once, and told to Loop once."""

from __future__ import annotations

from gateway.jobs import actions
from gateway.simulator.partner_files import make_csv_receipt
from gateway.store import database, returns
from tests.journeys.steps import announce, come_back, review
from tests.stage import HOUR, Stage

CLOSED = {"errors": {"message": "Return is closed and therefore cannot be processed.", "code": "UNPROCESSABLE_RETURN"}}


def calls(stage: Stage, rma: int) -> tuple[int, int]:
    """Process and flag calls that reached Loop."""
    return stage.calls("process", rma), stage.calls("flag", rma)


def test_a080_receipts_add_up_over_days_to_one_process_call(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 1), final=False, number="WR1")
    assert calls(stage, 77000001) == (0, 0)
    assert stage.ra("RA77000001").state.value == "partly received"
    stage.wait(24 * HOUR)
    come_back(stage, 77000001, ("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), final=False, number="WR2")
    assert calls(stage, 77000001) == (1, 0)
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}


def test_a081_a_partial_receipt_is_flagged_short_when_the_wait_is_over(stage: Stage) -> None:
    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 2), final=False)
    stage.wait(71 * HOUR)
    stage.job("Upkeep")
    stage.job("LoopExportReturnReceipts")
    assert calls(stage, 77000001) == (0, 0)
    stage.wait(1 * HOUR + 1)
    stage.job("Upkeep")
    assert calls(stage, 77000001) == (0, 1)
    assert stage.story_of(77000001)["decision"]["reasons"] == ["SHORT"]
    assert "HOOD-GRY-M short 1" in stage.notes(77000001)[1]


def test_a081_the_export_job_alone_ends_the_wait_too(stage: Stage) -> None:
    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 2), final=False)
    stage.wait(72 * HOUR + 1)
    stage.job("LoopExportReturnReceipts")
    assert calls(stage, 77000001) == (0, 1)


def test_a082_another_item_in_its_place_is_a_wrong_item_and_nothing_is_restocked(stage: Stage) -> None:
    announce(stage, 77000002)
    come_back(stage, 77000002, ("DRS-RED-8", 1))
    assert calls(stage, 77000002) == (0, 1)
    assert "WRONG_ITEM" in stage.story_of(77000002)["decision"]["reasons"]
    assert {stage.stock("NJ1", sku) for sku in ("DRS-RED-6", "DRS-RED-8")} == {10}
    assert {stage.stock("NJ1-SQ", sku) for sku in ("DRS-RED-6", "DRS-RED-8")} == {0}


def test_a083_a_unit_too_many_is_flagged_and_its_owner_stays_unknown(stage: Stage) -> None:
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 2))
    assert calls(stage, 77000004) == (0, 1)
    assert stage.story_of(77000004)["decision"]["reasons"] == ["OVER"]
    assert "HOOD-GRY-M over 1 (owner unknown)" in stage.notes(77000004)[1]
    review(stage, 77000004, restock=True)
    stage.import_refunds()
    assert stage.invoices()["6100004"]["total"] == "75.60"
    assert stage.stock("NJ1", "HOOD-GRY-M") == 11
    assert stage.ra_lines("RA77000004")["HOOD-GRY-M"]["over"] == 1


def test_a084_goods_after_a_cancellation_are_recorded_and_leave_one_task(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.world.cancel(77000004)
    stage.wait(2)
    stage.import_rmas()
    come_back(stage, 77000004)
    assert (calls(stage, 77000004), stage.stock("NJ1", "HOOD-GRY-M")) == ((0, 0), 10)
    assert stage.lines("RA77000004") == {"HOOD-GRY-M": (1, 1, 0, 0)}
    (task,) = stage.tasks()
    assert task["kind"] == "arrived after cancellation"


def test_a085_a_blind_receipt_is_kept_with_its_best_candidate_and_attaching_it_processes(stage: Stage) -> None:
    announce(stage, 77000004)
    announce(stage, 77000003)
    tracking = stage.ra("RA77000004").document.tracking_numbers[0]
    stage.receive("", [("HOOD-GRY-M", 1)], receipt_no="WR9", tracking=tracking, final=True)
    (held,) = stage.receipts()
    assert (held.state, held.ra) == ("unmatched", None)
    (task,) = stage.tasks("unmatched receipt")
    best, *rest = stage.candidates(held.id)
    assert (best.ra, best.rma) == ("RA77000004", "77000004")
    assert any(tracking in words for words in best.evidence)
    assert any("HOOD-GRY-M" in words for words in best.evidence)
    assert all(other.score < best.score for other in rest)
    assert "RA77000004" in task["text"]

    actions.attach(stage.ctx, receipt_id=held.id, ra=best.ra, actor="anna")
    stage.worker.drain()
    assert calls(stage, 77000004) == (1, 0)
    assert stage.tasks() == []


def test_an_ra_that_a_text_names_is_a_candidate_however_many_newer_ones_have_the_same_goods(stage: Stage) -> None:
    for rma in (77000001, 77000002, 77000003):
        announce(stage, rma)
    tracking = stage.ra("RA77000001").document.tracking_numbers[0]
    with database.reading(stage.ctx.engine) as connection:
        for text in (tracking, "ra-77000001", "RMA 77000001 of November", "1001", "#1001"):
            found = returns.open_resembling(connection, partner="ATLAS", texts=[text], skus=["HOOD-GRY-M"], limit=1)
            assert "RA77000001" in [ra.ra for ra in found], text
        assert returns.open_resembling(connection, partner="ATLAS", texts=["%", "#", ""], skus=[]) == []


def test_a086_a_flagged_return_that_goes_back_to_open_is_left_alone(stage: Stage) -> None:
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    stage.world.to_open(77000004)
    for _ in range(3):
        stage.wait(60)
        stage.import_rmas()
        stage.job("LoopExportReturnReceipts")
        stage.job("Upkeep")
    assert calls(stage, 77000004) == (0, 1)
    assert stage.ra("RA77000004").state.value == "flagged"


def test_a087_an_error_inside_a_200_is_a_lasting_failure_with_a_task(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.simulator.faults.add("error_body", service="loop", match="process", body=CLOSED)
    come_back(stage, 77000004)
    stage.wait(2 * HOUR)
    stage.job("LoopExportReturnReceipts")
    assert calls(stage, 77000004) == (1, 0)
    (effect,) = [e for e in stage.effects(77000004) if e.kind == "loop.process"]
    assert (effect.state.value, effect.attempts) == ("failed", 1)
    assert "Return is closed and therefore cannot be processed." in effect.cause
    (task,) = stage.tasks("process refused")
    assert "It is not tried again" in task["text"]


def test_a088_three_times_503_then_success_is_one_accepted_process_and_four_attempts(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.simulator.faults.add("status", service="loop", match="process", status=503, times=3)
    come_back(stage, 77000004)
    for _ in range(3):
        stage.wait(61)
    assert stage.simulator.calls.count("process", 77000004, accepted=True) == 1
    told = [e["text"] for e in stage.story_of(77000004)["timeline"] if "process in Loop, attempt" in e["text"]]
    assert [text.split(":")[0] for text in told] == [f"process in Loop, attempt {n}" for n in (1, 2, 3, 4)]
    stage.loop_finishes()
    assert stage.ra("RA77000004").state.value == "processed"


def test_a089_a_receipt_after_the_decision_is_a_task_with_a_suggestion(stage: Stage) -> None:
    announce(stage, 77000001)
    come_back(stage, 77000001, ("TEE-BLK-M", 2), final=False, number="WR1")
    stage.wait(72 * HOUR + 1)
    stage.job("Upkeep")
    stage.wait(48 * HOUR)
    come_back(stage, 77000001, ("HOOD-GRY-M", 1), final=False, number="WR2")
    stage.job("LoopExportReturnReceipts")
    assert calls(stage, 77000001) == (0, 1)
    (task,) = stage.tasks("received after decision")
    assert "process it in Loop" in task["advice"]
    assert stage.lines("RA77000001")["HOOD-GRY-M"] == (1, 1, 0, 0)


def test_a102_a_process_that_loop_does_not_confirm_within_the_hour_is_a_task_and_not_repeated(stage: Stage) -> None:
    stage.world.settings.processing_delay = 100 * HOUR
    announce(stage, 77000004)
    come_back(stage, 77000004)
    assert stage.ra("RA77000004").state.value == "process requested"
    stage.wait(59 * 60)
    assert stage.tasks() == []
    stage.wait(120)
    (task,) = stage.tasks("process not confirmed")
    assert "60 minutes" in task["text"]
    assert calls(stage, 77000004) == (1, 0)


def test_a052_one_ra_of_two_that_never_comes_is_flagged_when_the_wait_is_over(stage: Stage) -> None:
    stage.world.add_order(5000001052, "#1052", [("HOOD-GRY-M", 1), ("DRS-RED-6", 1)])
    units = [(520001, "HOOD-GRY-M", {"destination_id": 501}), (520002, "DRS-RED-6", {"destination_id": 502})]
    stage.world.open_return(77000052, "#1052", units, 501)
    stage.import_rmas()
    stage.receive("RA77000052-1", [("HOOD-GRY-M", 1)], receipt_no="WR1", final=True)
    stage.wait(72 * HOUR + 1)
    stage.job("Upkeep")
    assert calls(stage, 77000052) == (0, 1)
    assert "DRS-RED-6 short 1" in stage.notes(77000052)[-1]


def test_an_item_nobody_knows_is_flagged_as_unmapped_and_held_as_owner_unknown(stage: Stage) -> None:
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 1), ("NOBODY-KNOWS", 1))
    assert stage.story_of(77000004)["decision"]["reasons"] == ["UNMAPPED_ITEM"]
    assert "NOBODY-KNOWS" in stage.notes(77000004)[1]
    (task,) = stage.tasks("unmapped item")
    assert "NOBODY-KNOWS" in task["text"]
    assert "[cross_references]" in task["advice"]


def test_goods_that_another_partner_received_are_flagged_as_in_the_wrong_warehouse(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.drop("PACIFIC", "r.csv", make_csv_receipt("RA77000004", [("HOOD-GRY-M", 1)], receipt_no="P1"))
    assert calls(stage, 77000004) == (0, 1)
    assert stage.story_of(77000004)["decision"]["reasons"] == ["WAREHOUSE_MISMATCH"]
    assert "received at LA1, authorized for NJ1" in stage.notes(77000004)[1]
