"""What becomes of an RA when its return changes in Loop: other lines, other warehouses, boxes, bundles, exchanges that cannot be sent."""

from __future__ import annotations

from collections.abc import Callable

from gateway.simulator.partner import Announcement, announcement, read_csv, read_x12
from gateway.simulator.world import open_known_return
from gateway.views import health
from tests.journeys.steps import announce, come_back
from tests.stage import HOUR, Stage

REPLACE = ("mappings/atlas.toml", "expect_acknowledgement = true", 'expect_acknowledgement = true\nchange = "replace"')


def announced(stage: Stage, partner: str = "ATLAS") -> list[Announcement]:
    """What the files in an outbox announce, in the simulator's own reading."""
    found: list[Announcement] = []
    for path in stage.outbox(partner):
        content = path.read_bytes()
        found += read_csv(content) if path.suffix == ".csv" else [announcement(s, c) for g in read_x12(content) for _, c, s in g.sets]
    return found


def edit(stage: Stage, rma: int, **changes: object) -> None:
    """A person edits a return in Loop, and the gateway learns of it."""
    stage.world.edit(rma, **changes)  # type: ignore[arg-type]  # changes by name
    stage.wait(2)
    stage.import_rmas()


def test_it_cancels_and_sends_anew_where_a_partner_takes_no_changes(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=(REPLACE,))
    announce(stage, 77000003)
    edit(stage, 77000003, remove=[830003])
    stage.job("TransmitReturnAuthorizations")
    assert [(found.purpose, found.ra) for found in announced(stage)] == [("00", "RA77000003"), ("01", "RA77000003"), ("00", "RA77000003")]
    assert [line.sku for line in announced(stage)[-1].lines] == ["TEE-BLK-M", "HOOD-GRY-M"]
    stage.world.cancel(77000003)
    stage.wait(2)
    stage.import_rmas()
    assert announced(stage)[-1].purpose == "01"


def test_it_makes_a_second_ra_when_an_edit_adds_a_unit_for_another_warehouse(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.world.add_order(5000001004 + 50, "#1054", [("DRS-RED-6", 1)])
    edit(stage, 77000004, add=[(840009, "HOOD-GRY-M", {"destination_id": 502})])
    assert [(ra.ra, ra.purpose) for ra in announced(stage)] == [("RA77000004", "00")]
    assert [ra.ra for ra in announced(stage, "PACIFIC")] == ["RA77000004-2"]


def test_it_cancels_the_ra_of_a_warehouse_that_an_edit_leaves_without_units(stage: Stage) -> None:
    stage.world.open_return(77000003, "#1003", [(830001, "TEE-BLK-M"), (830002, "HOOD-GRY-M", {"destination_id": 502})], 501)
    stage.import_rmas()
    edit(stage, 77000003, remove=[830002])
    (first, second) = (stage.ra("RA77000003-1"), stage.ra("RA77000003-2"))
    assert (first.state.value, second.state.value) == ("sent", "cancelled")
    come_to_atlas = stage.receive("RA77000003-1", [("TEE-BLK-M", 1)], receipt_no="WR1", final=True)
    assert (come_to_atlas.outcome, stage.calls("process", 77000003)) == ("applied", 1)


def test_an_edit_that_cannot_be_placed_waits_for_its_mapping_and_is_then_taken_over(stage: Stage) -> None:
    announce(stage, 77000004)
    edit(stage, 77000004, add=[(840009, "HOOD-GRY-M", {"destination_id": 999})])
    (task,) = stage.tasks("edited return")
    assert "destination 999" in task["text"]
    assert len(announced(stage)) == 1
    stage.reopen(("gateway.toml", 'loop_destination = "502"', 'loop_destination = "999"'))
    stage.job("Upkeep")
    assert [ra.ra for ra in announced(stage, "PACIFIC")] == ["RA77000004-2"]
    assert stage.tasks("edited return") == []


def test_an_edit_that_leaves_nothing_physical_cancels_the_ra_once(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.world.return_(77000004).units[0].outcome = "keep"
    edit(stage, 77000004)
    stage.import_rmas()
    assert [found.purpose for found in announced(stage)] == ["00", "01"]
    assert stage.ra("RA77000004").state.value == "cancelled"


def test_several_boxes_become_packages_with_their_tracking_numbers_and_items(stage: Stage) -> None:
    labels = [
        {"tracking_number": "1Z-A", "carrier": "UPS", "status": "in_transit", "line_item_ids": [810001]},
        {"tracking_number": "1Z-B", "carrier": "UPS", "status": "in_transit", "line_item_ids": [810002, 810003]},
    ]
    units = [(810001, "TEE-BLK-M"), (810002, "TEE-BLK-M"), (810003, "HOOD-GRY-M")]
    stage.world.open_return(77000001, "#1001", units, 501, labels=labels)
    stage.import_rmas()
    (path,) = stage.outbox("ATLAS")
    ((group,),) = ([found.sets for found in read_x12(path.read_bytes())],)
    segments = group[0][2]
    assert [segment[3] for segment in segments if segment[0] == "HL"] == ["S", "O", "P", "I", "P", "I", "I"]
    assert [segment[2] for segment in segments if segment[0] == "SN1"] == ["1", "1", "1"]
    assert [segment[2] for segment in segments if segment[:2] == ["REF", "2I"]] == ["1Z-A", "1Z-B", "1Z-A", "1Z-B"]


BUNDLE = ("mappings/items.csv", "sku,upc,title\n", "sku,upc,title\nSET-TEE,,Two tees and a cap\n")


def open_bundle(make_stage: Callable[..., Stage]) -> Stage:
    """A stage on which a bundle of two tees and a cap is on its way back."""
    stage = make_stage(edits=(BUNDLE,))
    (stage.folder / "mappings" / "bundles.csv").write_text("sku,component,quantity\nSET-TEE,TEE-BLK-M,2\nSET-TEE,CAP-NVY-OS,1\n")
    stage.reopen()
    stage.world.add_item("SET-TEE", "", "80.00")
    stage.world.add_order(5000001070, "#1070", [("SET-TEE", 1)])
    stage.world.open_return(77000070, "#1070", [(700001, "SET-TEE")], 501)
    stage.import_rmas()
    return stage


def test_a_bundle_is_announced_as_its_components_and_complete_with_all_of_them(make_stage: Callable[..., Stage]) -> None:
    stage = open_bundle(make_stage)
    assert stage.lines("RA77000070") == {"TEE-BLK-M": (2, 0, 0, 0), "CAP-NVY-OS": (1, 0, 0, 0)}
    assert str(stage.ra("RA77000070").document.value) == "86.40"
    stage.receive("RA77000070", [("TEE-BLK-M", 2), ("CAP-NVY-OS", 1)], receipt_no="WR70")
    assert stage.calls("process", 77000070) == 1


def test_a_refunded_bundle_puts_its_components_in_stock_and_the_book_holds(make_stage: Callable[..., Stage]) -> None:
    stage = open_bundle(make_stage)
    stage.receive("RA77000070", [("TEE-BLK-M", 2), ("CAP-NVY-OS", 1)], receipt_no="WR70")
    stage.loop_finishes()
    stage.import_refunds()
    assert (stage.stock("NJ1", "TEE-BLK-M"), stage.stock("NJ1", "CAP-NVY-OS"), stage.stock("NJ1", "SET-TEE")) == (12, 11, 0)
    assert [row["total"] for row in stage.invoices().values()] == ["86.40"]
    assert health.verify(stage.ctx.engine, stage.ctx.folders) == []


def test_a_bundle_that_misses_a_component_is_flagged_as_component_and_as_bundle(make_stage: Callable[..., Stage]) -> None:
    stage = open_bundle(make_stage)
    stage.receive("RA77000070", [("TEE-BLK-M", 2)], receipt_no="WR70", final=True)
    assert (stage.calls("flag", 77000070), stage.calls("process", 77000070)) == (1, 0)
    note = stage.notes(77000070)[-1]
    assert "CAP-NVY-OS short 1 of 1" in note
    assert "bundle SET-TEE is incomplete" in note


def test_a_digital_item_is_never_sent_to_a_warehouse(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=(("mappings/items.csv", "sku,upc,title\n", "sku,upc,title,digital\nE-CARD,,Gift card,yes\n"),))
    stage.world.add_item("E-CARD", "", "25.00")
    stage.world.add_order(5000001071, "#1071", [("E-CARD", 1)])
    stage.world.open_return(77000071, "#1071", [(710001, "E-CARD")], 501)
    stage.import_rmas()
    assert (stage.outbox("ATLAS"), stage.story_of(77000071)["hold"][:18]) == ([], "no physical return")


def test_an_exchange_out_of_stock_goes_back_to_review_and_is_not_processed_again(stage: Stage) -> None:
    open_known_return(stage.world, 77000002, 501)
    stage.world.return_(77000002).exchanges[0].out_of_stock = True
    stage.import_rmas()
    come_back(stage, 77000002)
    stage.loop_finishes()
    assert (stage.calls("process", 77000002), stage.story_of(77000002)["exchange"]) == (1, "exchange out of stock")
    (task,) = stage.tasks("exchange out of stock")
    assert "DRS-RED-8" in task["text"]
    for _ in range(3):
        stage.import_rmas()
        stage.job("LoopExportReturnReceipts")
        stage.wait(HOUR)
    assert (stage.calls("process", 77000002), stage.calls("flag")) == (1, 0)


def instant(stage: Stage) -> None:
    """An exchange whose order went out at once."""
    exchanges = ["DRS-RED-8"]
    stage.world.open_return(77000002, "#1002", [(820001, "DRS-RED-6")], 501, outcome="exchange", exchanges=exchanges, instant_exchange=True)
    stage.import_rmas()


def test_a_receipt_completes_an_instant_exchange_without_waiting_for_another_order(stage: Stage) -> None:
    instant(stage)
    come_back(stage, 77000002)
    stage.loop_finishes()
    told = stage.story_of(77000002)["exchange"]
    assert (stage.calls("process", 77000002), told.startswith("instant exchange: order EXC")) == (1, True)


def test_an_instant_exchange_whose_goods_never_come_is_charged_not_returned_and_closed_without_stock(stage: Stage) -> None:
    instant(stage)
    stage.world.expire(77000002)
    stage.wait(2)
    stage.import_rmas()
    assert stage.story_of(77000002)["exchange"] == "charged, not returned"
    assert stage.ra("RA77000002").state.value == "closed"
    assert stage.lines("RA77000002") == {"DRS-RED-6": (1, 0, 0, 1)}
    assert stage.stock("NJ1", "DRS-RED-6") == 10
