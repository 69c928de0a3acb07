"""A-050 to A-057: from Loop's returns to what each warehouse is told."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import Any

from gateway.simulator.partner import Announcement, announcement, read_csv, read_x12
from gateway.simulator.partner_files import Line, make_csv_receipt
from tests.journeys.steps import announce, come_back
from tests.stage import HOUR, Stage


def test_a050_units_of_a_sku_become_one_line_and_stay_traceable(stage: Stage) -> None:
    announce(stage, 77000001)
    lines = stage.ra("RA77000001").document.lines
    assert [(line.sku, line.quantity) for line in lines] == [("TEE-BLK-M", 2), ("HOOD-GRY-M", 1)]
    assert lines[0].unit_ids == ("810001", "810002")


def test_a051_a_kept_unit_is_not_announced(stage: Stage) -> None:
    stage.world.open_return(77000003, "#1003", [(830001, "TEE-BLK-M", {"outcome": "keep"}), (830002, "HOOD-GRY-M")], 501)
    stage.import_rmas()
    (found,) = _announced(stage, "ATLAS")
    assert [(line.sku, line.good) for line in found.lines] == [("HOOD-GRY-M", 1)]


def test_a051_with_only_kept_units_there_is_no_file_and_no_physical_return(stage: Stage) -> None:
    stage.world.open_return(77000003, "#1003", [(830001, "TEE-BLK-M", {"outcome": "keep"})], 501)
    tally = stage.import_rmas()
    assert (stage.outbox("ATLAS"), stage.files()) == ([], [])
    assert stage.story_of(77000003)["hold"].startswith("no physical return")
    assert (tally.done, tally.skipped, tally.failed) == (0, 1, 0)


def test_a052_two_warehouses_make_two_ras_in_two_formats(stage: Stage) -> None:
    stage.world.add_order(5000001052, "#1052", [("HOOD-GRY-M", 1), ("DRS-RED-6", 1)])
    units = [(520001, "HOOD-GRY-M", {"destination_id": 501}), (520002, "DRS-RED-6", {"destination_id": 502})]
    stage.world.open_return(77000052, "#1052", units, 501)
    stage.import_rmas()
    (first,), (second,) = _announced(stage, "ATLAS"), _announced(stage, "PACIFIC")
    assert (first.ra, [(line.sku, line.good) for line in first.lines]) == ("RA77000052-1", [("HOOD-GRY-M", 1)])
    assert (second.ra, [(line.sku, line.good) for line in second.lines]) == ("RA77000052-2", [("DRS-RED-6", 1)])
    assert (first.warehouse, second.warehouse) == ("NJ1", "LA1")
    assert [path.suffix for path in stage.outbox("PACIFIC")] == [".csv"]


def test_a052_the_rma_is_decided_only_when_both_ras_are_settled(stage: Stage) -> None:
    stage.world.add_order(5000001052, "#1052", [("HOOD-GRY-M", 1), ("DRS-RED-6", 1)])
    units = [(520001, "HOOD-GRY-M", {"destination_id": 501}), (520002, "DRS-RED-6", {"destination_id": 502})]
    stage.world.open_return(77000052, "#1052", units, 501)
    stage.import_rmas()
    stage.receive("RA77000052-1", [("HOOD-GRY-M", 1)], receipt_no="WR1", final=True)
    assert (stage.calls("process"), stage.calls("flag")) == (0, 0)
    stage.drop("PACIFIC", "r.csv", make_csv_receipt("RA77000052-2", [("DRS-RED-6", 1)], receipt_no="P1"))
    assert (stage.calls("process", 77000052), stage.calls("flag")) == (1, 0)


def test_a053_an_edit_after_transmission_sends_a_change_and_the_receipt_of_the_rest_is_in_full(stage: Stage) -> None:
    announce(stage, 77000003)
    stage.world.edit(77000003, remove=[830003])
    stage.wait(2)
    stage.import_rmas()
    original, change = _announced(stage, "ATLAS")
    assert (original.purpose, len(original.lines)) == ("00", 3)
    assert (change.purpose, change.ra, [line.sku for line in change.lines]) == ("05", "RA77000003", ["TEE-BLK-M", "HOOD-GRY-M"])
    assert stage.ra("RA77000003").document.version == 2
    assert [row["version"] for row in stage.documents("RA77000003")] == [1, 2]
    come_back(stage, 77000003, ("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), final=False)
    assert (stage.calls("process", 77000003), stage.calls("flag")) == (1, 0)


def test_a053_a_partner_that_takes_no_changes_leaves_a_task(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=(("mappings/atlas.toml", "expect_acknowledgement = true", 'expect_acknowledgement = true\nchange = "task"'),))
    announce(stage, 77000003)
    stage.world.edit(77000003, remove=[830003])
    stage.wait(2)
    for _ in range(2):
        stage.import_rmas()
        stage.job("TransmitReturnAuthorizations")
    assert len(stage.outbox("ATLAS")) == 1
    (task,) = stage.tasks("tell the partner")
    assert "RA77000003" in task["text"]
    assert "version 2" in task["text"]


def test_a054_a_cancellation_after_transmission_sends_one_cancel_document(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.world.cancel(77000004)
    stage.wait(2)
    for _ in range(3):
        stage.import_rmas()
        stage.job("TransmitReturnAuthorizations")
    assert [found.purpose for found in _announced(stage, "ATLAS")] == ["00", "01"]
    assert stage.ra("RA77000004").state.value == "cancelled"


def test_a055_a_upc_that_lost_its_leading_zero_is_recognised(stage: Stage) -> None:
    stage.world.add_order(5000001055, "#1055", [("SOCK-WHT-OS", 1)])
    stage.world.open_return(77000055, "#1055", [(550001, "SOCK-WHT-OS")], 502)
    stage.import_rmas()
    stage.drop("PACIFIC", "r.csv", make_csv_receipt("RA77000055", [Line("", 1, upc="84000010085")], receipt_no="P55"))
    assert stage.lines("RA77000055") == {"SOCK-WHT-OS": (1, 1, 0, 0)}
    assert stage.calls("process", 77000055) == 1


def test_a056_950_returns_over_200_days_are_imported_once_despite_too_many_requests(stage: Stage) -> None:
    for place in range(950):
        stage.world.add_order(5100000000 + place, f"#{20000 + place}", [("CAP-NVY-OS", 1)])
        created = stage.world.now() - timedelta(days=200 * (949 - place) / 950)
        stage.world.open_return(78000000 + place, f"#{20000 + place}", [(9000000 + place, "CAP-NVY-OS")], 501, created_at=created)
    stage.simulator.faults.add("status", service="loop", match="list", status=429, retry_after=0, every=3, times=None)
    tally = stage.run("LoopImportReturnAuthorizations")
    assert (tally.read, tally.done, tally.failed) == (950, 950, 0)
    calls = stage.simulator.calls.all("list")
    assert any(call.status == 429 for call in calls)
    assert all(_window(call.query) <= timedelta(days=120) for call in calls)


def test_a057_two_rmas_on_one_order_are_processed_by_their_own_receipts(stage: Stage) -> None:
    stage.world.open_return(77000010, "#1001", [(810001, "TEE-BLK-M")], 501)
    stage.world.open_return(77000011, "#1001", [(810002, "TEE-BLK-M")], 501)
    stage.import_rmas()
    stage.receive("RA77000010", [("TEE-BLK-M", 1)], receipt_no="WR10", final=True)
    assert (stage.calls("process", 77000010), stage.calls("process", 77000011)) == (1, 0)
    stage.wait(24 * HOUR)
    stage.receive("RA77000011", [("TEE-BLK-M", 1)], receipt_no="WR11", final=True)
    assert (stage.calls("process", 77000010), stage.calls("process", 77000011)) == (1, 1)
    stage.loop_finishes()
    stage.import_refunds()
    assert [i["total"] for i in stage.invoices().values()] == ["32.40", "32.40"]
    assert stage.stock("NJ1", "TEE-BLK-M") == 12
    assert {i["rma"] for i in stage.invoices().values()} == {"77000010", "77000011"}


def test_a_held_return_goes_on_by_itself_once_its_item_is_mapped(stage: Stage) -> None:
    stage.world.add_item("SCARF-BLU", "840000100999", "40.00")
    stage.world.add_order(5000001060, "#1060", [("SCARF-BLU", 1)])
    stage.world.open_return(77000060, "#1060", [(600001, "SCARF-BLU")], 501)
    stage.import_rmas()
    (task,) = stage.tasks("held return")
    assert "SCARF-BLU" in task["text"]
    assert stage.outbox("ATLAS") == []
    stage.reopen(("mappings/items.csv", "sku,upc,title\n", "sku,upc,title\nSCARF-BLU,840000100999,Scarf blue\n"))
    stage.job("Upkeep")
    assert [found.ra for found in _announced(stage, "ATLAS")] == ["RA77000060"]
    assert stage.tasks("held return") == []


def test_a_held_return_that_loop_cancels_is_never_announced(stage: Stage) -> None:
    stage.world.open_return(77000004, "#1004", [(840001, "HOOD-GRY-M")], 999)
    stage.import_rmas()
    stage.world.cancel(77000004)
    stage.wait(2)
    stage.import_rmas()
    stage.reopen(("gateway.toml", 'loop_destination = "501"', 'loop_destination = "999"'))
    stage.job("Upkeep")
    stage.import_rmas()
    assert (stage.outbox("ATLAS"), stage.tasks("held return")) == ([], [])


def test_a_return_of_kept_units_that_gets_a_unit_to_send_is_announced(stage: Stage) -> None:
    stage.world.open_return(77000003, "#1003", [(830001, "TEE-BLK-M", {"outcome": "keep"})], 501)
    stage.import_rmas()
    stage.world.edit(77000003, add=[(830002, "HOOD-GRY-M")])
    stage.wait(2)
    stage.import_rmas()
    assert [line.sku for found in _announced(stage, "ATLAS") for line in found.lines] == ["HOOD-GRY-M"]


def test_a_return_in_review_is_imported_but_sent_only_when_it_is_open_again(stage: Stage) -> None:
    stage.world.open_return(77000004, "#1004", [(840001, "HOOD-GRY-M")], 501, state="review")
    stage.import_rmas()
    stage.job("TransmitReturnAuthorizations")
    assert (stage.ra("RA77000004").state.value, stage.outbox("ATLAS")) == ("held", [])
    stage.world.to_open(77000004)
    stage.wait(2)
    stage.import_rmas()
    assert [found.ra for found in _announced(stage, "ATLAS")] == ["RA77000004"]


def _announced(stage: Stage, partner: str) -> list[Announcement]:
    """What the files in an outbox announce, in the simulator's own reading."""
    found: list[Announcement] = []
    for path in stage.outbox(partner):
        if path.suffix == ".csv":
            found += read_csv(path.read_bytes())
        else:
            found += [announcement(segments, control) for group in read_x12(path.read_bytes()) for _, control, segments in group.sets]
    return found


def _window(query: Any) -> timedelta:
    return datetime.fromisoformat(query["to"]) - datetime.fromisoformat(query["from"])


def test_a052_the_csv_has_a_header_and_one_row_a_line(stage: Stage) -> None:
    announce(stage, 77000003, destination=502)
    (path,) = stage.outbox("PACIFIC")
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [(row["ra_number"], row["sku"], row["quantity"]) for row in rows] == [
        ("RA77000003", "TEE-BLK-M", "1"),
        ("RA77000003", "HOOD-GRY-M", "1"),
        ("RA77000003", "CAP-NVY-OS", "1"),
    ]
