"""R-180, R-181: why, and where every number comes from and what became of it."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from gateway.cli.look import explain, trace
from gateway.store import database
from gateway.views import cases, lineage
from tests.journeys.steps import announce, come_back, process_in_full
from tests.stage import HOUR, Stage


def figures(stage: Stage, rma: int) -> list[dict[str, Any]]:
    """Every figure of a return."""
    with database.reading(stage.ctx.engine) as connection:
        return lineage.of_return(connection, str(rma))


def why(stage: Stage, rma: int | str) -> str:
    """The explanation as one text."""
    with database.reading(stage.ctx.engine) as connection:
        return " ".join(cases.explain(connection, str(rma)))


def test_every_figure_of_a_return_leads_to_the_fields_and_elements_it_came_from(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    found = figures(stage, 77000001)
    by_name = {(f["what"], f.get("sku", "")): f for f in found}
    expected = by_name["expected", "TEE-BLK-M"]
    assert [source["field"].rpartition("[")[2] for source in expected["sources"]] == ["line_item_id=810001]", "line_item_id=810002]"]
    (came,) = by_name["good", "TEE-BLK-M"]["sources"]
    assert (by_name["good", "TEE-BLK-M"]["value"], came["value"]) == (2, 2)
    assert (came["receipt"], came["element"].split(",")[0], "(W07)" in came["place"]) == ("WR5501", "W07-01", True)
    assert came["file"].endswith(".edi")
    stock = by_name["stock", "TEE-BLK-M"]
    assert (stock["value"], stock["warehouse"], stock["sources"][0]["source"]) == (2, "NJ1", "Shopify query refund")
    assert stock["sources"][0]["field"].startswith("refund[id=6100001].refundLineItems[")
    assert by_name["credit", ""]["value"] == "140.40"
    assert sum(stage.money(s["value"]) for s in by_name["credit", ""]["sources"]) == stage.money("140.40")


def test_a_file_tells_what_each_of_its_lines_led_to(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    file = next(f for f in stage.files() if f.direction == "in")
    with database.reading(stage.ctx.engine) as connection:
        tee, _ = lineage.of_file(connection, file.id)
    assert (tee["sku"], tee["good"], tee["ra"], tee["ra_line"], tee["counts"]) == ("TEE-BLK-M", 2, "RA77000001", 1, True)
    assert tee["decision"] == "process (in full and good → process)"
    assert any(call.startswith("POST /warehouse/return/77000001/process (1) at ") for call in tee["calls"])
    assert tee["stock"][0].startswith("+2 TEE-BLK-M NJ1 (refund 6100001")
    assert "140.40 USD" in tee["credit"][0]


def test_a_flag_is_explained_by_what_was_known_when_it_was_decided(stage: Stage) -> None:
    announce(stage, 77000003)
    come_back(stage, 77000003, ("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), number="WR1")
    stage.wait(HOUR)
    come_back(stage, 77000003, ("CAP-NVY-OS", 1), number="WR2")
    said = why(stage, 77000003)
    assert 'flagged under the rule "short → flag", because 2 of 3 units came: CAP-NVY-OS short 1 of 1, value 27.00' in said
    assert "Call POST /warehouse/return/77000003/flag (1) at " in said
    assert "received after decision" in said


def test_what_was_skipped_is_explained_by_the_job_that_skipped_it(stage: Stage) -> None:
    stage.world.open_return(77000004, "#1004", [(840001, "HOOD-GRY-M")], 501, created_at="2025-12-01T10:00:00Z")
    stage.world.scan_label(77000004, "in_transit")
    stage.import_rmas()
    said = why(stage, 77000004)
    assert "LoopImportReturnAuthorizations passed it over at " in said
    assert "created before 2026-01-01" in said


def test_a_held_return_is_explained_by_what_it_waits_for(stage: Stage) -> None:
    stage.world.open_return(77000004, "#1004", [(840001, "HOOD-GRY-M")], 999)
    stage.import_rmas()
    assert "Loop destination 999 is not mapped to a warehouse" in why(stage, 77000004)


def test_the_commands_show_both_ways(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    run = CliRunner(env={"GATEWAY_WORKSPACE": str(stage.folder)})
    shown = run.invoke(explain, ["77000001", "--lineage"], standalone_mode=False).output
    assert "RA77000001 TEE-BLK-M good 2 ← 2 from " in shown
    told = json.loads(run.invoke(explain, ["77000001", "--lineage", "--json"], standalone_mode=False).output)
    assert {figure["what"] for figure in told["lineage"]} >= {"expected", "good", "stock", "credit"}
    name = next(f.name for f in stage.files() if f.direction == "in")
    traced = run.invoke(trace, [name], standalone_mode=False).output
    assert "TEE-BLK-M 2 good, 0 second → RA77000001 → process (in full and good → process) → " in traced
