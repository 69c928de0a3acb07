"""A-001, A-002: a standard return from Loop to the warehouse, back, and into stock and credit."""

from __future__ import annotations

import hashlib

from gateway.simulator.partner import read_x12
from gateway.simulator.partner_files import Acknowledged, make_997
from gateway.simulator.world import open_known_return
from tests.journeys.steps import come_back, process_in_full
from tests.stage import Stage

JOBS = (
    "LoopImportReturnAuthorizations",
    "TransmitReturnAuthorizations",
    "LoopExportReturnReceipts",
    "ShopifyImportRefunds",
    "ShopifyImportOrders",
    "ShopifyExportInventory",
)


def test_a001_standard_two_sku_return_goes_from_loop_to_stock_and_credit(stage_on_both: Stage) -> None:
    stage = stage_on_both
    open_known_return(stage.world, 77000001)

    stage.import_rmas()
    ra = stage.ra("RA77000001").document
    assert (ra.warehouse, [(line.sku, line.quantity) for line in ra.lines]) == ("NJ1", [("TEE-BLK-M", 2), ("HOOD-GRY-M", 1)])
    assert (sum(line.value for line in ra.lines), sum(line.tax for line in ra.lines), ra.value) == (130, stage.money("10.40"), stage.money("140.40"))
    (note,) = stage.notes(77000001)
    assert "RA77000001" in note
    assert "NJ1" in note

    (sent,) = stage.outbox("ATLAS")
    ((_, _, segments),) = [one for group in read_x12(sent.read_bytes()) for one in group.sets]
    assert next(s for s in segments if s[0] == "BSN")[1:3] == ["00", "RA77000001"]
    assert [s[2] for s in segments if s[0] == "SN1"] == ["2", "1"]

    come_back(stage, 77000001, number="WR5501")
    assert "ra.received" in stage.story(77000001)
    assert (stage.calls("process", 77000001), stage.calls("flag", 77000001)) == (1, 0)

    stage.loop_finishes()
    assert stage.world.return_(77000001).state == "closed"
    stage.import_refunds()
    assert (stage.stock("NJ1", "TEE-BLK-M"), stage.stock("NJ1", "HOOD-GRY-M")) == (12, 11)
    assert (stage.stock("NJ1-SQ", "TEE-BLK-M"), stage.stock("NJ1-SQ", "HOOD-GRY-M")) == (0, 0)
    (invoice,) = stage.invoices().values()
    assert (invoice["refund_id"], invoice["merchandise"], invoice["tax"], invoice["shipping"]) == ("6100001", "130.00", "10.40", "0.00")
    assert (invoice["total"], invoice["settlements"][0]["kind"], invoice["settlements"][0]["amount"]) == ("140.40", "cash", "140.40")

    stage.job("ShopifyExportInventory")
    assert [e.payload["quantity"] for e in stage.effects("7001/TEE-BLK-M")] == [12]
    assert [e.payload["quantity"] for e in stage.effects("7001/HOOD-GRY-M")] == [11]
    assert stage.world.available("TEE-BLK-M", 7001) == 12
    calls = stage.calls("SetQuantities")
    assert stage.job("ShopifyExportInventory").counts == {"read": 0, "done": 0, "skipped": 0, "failed": 0}
    assert stage.calls("SetQuantities") == calls
    assert stage.ra("RA77000001").state.value == "closed"
    assert stage.tasks() == []


def test_a001_the_return_history_tells_of_the_receipt_and_the_decision(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    ours = [note for note in stage.notes(77000001) if not note.startswith("Additional")]
    assert len(ours) == 2
    assert "WR5501" in ours[1]
    assert "TEE-BLK-M 2 good; HOOD-GRY-M 1 good. Processed." in ours[1]


def test_a002_running_every_job_three_times_more_changes_nothing(stage_on_both: Stage) -> None:
    stage = stage_on_both
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    stage.partners_answer()
    stage.loop_finishes()
    for job in JOBS:
        stage.job(job)
    before = _picture(stage)
    runs = len(stage.runs())
    for _ in range(3):
        for job in JOBS:
            stage.job(job)
            stage.partners_answer()
    assert _picture(stage) == before
    extra = stage.runs()[runs:]
    assert [run["job"] for run in extra] == [*JOBS] * 3
    assert all(run["ended_at"] and run["failed"] == 0 for run in extra)
    assert [run["skipped"] for run in extra if run["job"] == "ShopifyImportRefunds"] == [1, 1, 1]


def _picture(stage: Stage) -> dict[str, object]:
    return {
        "stock": [stage.stock(w, s) for w in ("NJ1", "NJ1-SQ") for s in ("TEE-BLK-M", "HOOD-GRY-M")],
        "invoices": stage.invoices(),
        "notes": stage.notes(77000001),
        "files": [(f.name, f.sha256) for f in stage.files()],
        "calls": [stage.calls(o) for o in ("process", "flag", "note", "remove", "SetQuantities")],
    }


def test_a063_the_bytes_in_the_book_are_the_bytes_in_the_outbox(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    (sent,) = stage.outbox("ATLAS")
    assert hashlib.sha256(sent.read_bytes()).hexdigest() == stage.file(sent.name).sha256


def test_a001_the_acknowledgement_brings_the_ra_to_acknowledged(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    assert stage.ra("RA77000001").state.value == "sent"
    stage.drop("ATLAS", "ack.edi", make_997(Acknowledged("SH", "1", (("856", "0001", "A"),)), number=1))
    assert stage.ra("RA77000001").state.value == "acknowledged"
