"""What machines read: `gateway export --json` in the documented shape, letter for letter (DESIGN section 5)."""

from __future__ import annotations

import re
from typing import Any

from gateway.store import audit, database, events
from gateway.views import records
from tests.journeys.steps import announce, come_back, process_in_full, review
from tests.stage import Stage

FIELDS = {
    "ras": "ra rma version partner warehouse state decision reasons ack lines",
    "files": "direction partner name sha256 size outcome reason control",
    "receipts": "partner receipt_no ra sku good second file_sha256",
    "effects": "id kind target state attempts cause",
    "refunds": "refund_id order_id rma credit cash currency status reason",
    "stock": "warehouse sku qty cause ref time",
    "orders": "order_id name rma merchandise tax misc_charge discount ar",
    "alerts": "kind subject text open",
    "tasks": "kind subject text open",
}
WORDS = {
    ("ras", "decision"): {"process", "flag", "none"},
    ("ras", "ack"): {"not_expected", "awaiting", "accepted", "rejected", "overdue"},
    ("files", "direction"): {"in", "out"},
    ("files", "outcome"): {"applied", "partial", "duplicate", "held", "error", "quarantine", "delivered"},
    ("effects", "state"): {"intended", "in_doubt", "confirmed", "failed"},
    ("refunds", "status"): {"imported", "skipped", "held"},
}
MONEY = {("refunds", "credit"), ("refunds", "cash"), ("orders", "merchandise"), ("orders", "tax"), ("orders", "misc_charge"), ("orders", "discount")}


def live(stage: Stage) -> dict[str, Any]:
    """Something of everything, and the export."""
    process_in_full(stage, 77000001)
    process_in_full(stage, 77000002)
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    review(stage, 77000004, process=True, restock=False)
    announce(stage, 77000003)
    stage.loop_finishes()
    stage.import_refunds()
    stage.job("ShopifyImportOrders")
    stage.job("ShopifyExportInventory")
    stage.drop("ATLAS", "broken.edi", b"ISA*rubbish~")
    stage.wait(25 * 3600)
    stage.job("Upkeep")
    with database.reading(stage.ctx.engine) as connection:
        return records.export(connection)


def test_it_exports_every_field_and_word_of_the_contract(stage: Stage) -> None:
    book = live(stage)
    assert book["schema"] == "gateway-export-1"
    for kind, names in FIELDS.items():
        assert book[kind], f"nothing of {kind} to look at"
        for row in book[kind]:
            assert set(names.split()) <= set(row), f"{kind} lacks {set(names.split()) - set(row)}"
    for (kind, name), words in WORDS.items():
        assert {row[name] for row in book[kind]} <= words
    for kind, name in MONEY:
        assert all(re.fullmatch(r"-?\d+\.\d\d", row[name]) for row in book[kind])
    line = book["ras"][0]["lines"][0]
    assert {"sku", "expected", "good", "second", "missing"} <= set(line)
    assert {row["ack"] for row in book["ras"]} >= {"overdue"}


def test_every_job_and_person_leaves_a_trace_with_before_and_after(stage: Stage) -> None:
    from gateway.jobs import actions

    announce(stage, 77000001)
    stage.job("Upkeep")
    actions.close(stage.ctx, ra="RA77000001", reason="parcel lost", actor="dana")
    stage.reopen(("gateway.toml", 'name = "Harbor & Pine"', 'name = "Harbour & Pine"'))
    stage.job("Upkeep")
    with database.reading(stage.ctx.engine) as connection:
        told = {event["word"]: event for event in events.list_events(connection)}
        assert list(audit.find_broken(connection)) == []
    assert (told["ra.closed"]["actor"], '"before":"sent"' in told["ra.closed"]["facts"]) == ("dana", True)
    assert "parcel lost" in told["ra.closed"]["text"]
    assert re.search(r'"after":"\w{12}","before":"\w{12}"', told["settings.changed"]["facts"])
