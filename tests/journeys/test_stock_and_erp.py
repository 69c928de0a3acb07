"""R-118, R-119, R-123: corrections, the partner's own counts, the export that never overwrites, and the files for the ERP."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.domain.documents import StockLine, StockReport
from gateway.jobs.stock import RefusedCorrectionError, correct_stock
from gateway.store import database, files, ledger, partner_stock
from gateway.views import health
from tests.journeys.steps import announce, come_back, process_in_full, review
from tests.stage import Stage

BOTH_FORMATS = (("gateway.toml", "[shopify]\n", '[erp]\nformats = ["csv", "xlsx"]\n\n[shopify]\n'),)


def correct(stage: Stage, quantity: int, **more: str) -> int:
    """A person corrects TEE-BLK-M in NJ1."""
    facts = {"warehouse": "NJ1", "sku": "TEE-BLK-M", "reason": "counted", "actor": "kim"} | more
    return correct_stock(stage.ctx, quantity=quantity, **facts)


def test_r118_a_correction_is_a_new_entry_and_the_balance_stays_the_sum(stage: Stage) -> None:
    assert correct(stage, -2) == 8
    assert correct(stage, 1) == 9
    with database.reading(stage.ctx.engine) as connection:
        rows = [r for r in ledger.movements_within(connection, None, None) if r["cause"] == "correction"]
    assert [(r["quantity"], r["remark"], r["actor"]) for r in rows] == [(-2, "counted", "kim"), (1, "counted", "kim")]
    assert (stage.stock("NJ1", "TEE-BLK-M"), health.verify(stage.ctx.engine, stage.ctx.folders)) == (9, [])


def test_r118_a_correction_with_a_reference_is_entered_once(stage: Stage) -> None:
    correct(stage, -1, reference="count 2026-11")
    with pytest.raises(RefusedCorrectionError, match="not entered twice"):
        correct(stage, -1, reference="count 2026-11")
    assert stage.stock("NJ1", "TEE-BLK-M") == 9


@pytest.mark.parametrize(
    ("quantity", "more", "words"),
    [
        (-11, {}, "NJ1 has 10 x TEE-BLK-M; -11 would make it negative"),
        (0, {}, "corrects nothing"),
        (1, {"reason": " "}, "needs a reason"),
        (1, {"warehouse": "XX"}, "XX is no warehouse"),
        (1, {"sku": "NOPE"}, "NOPE is not in mappings/items.csv"),
    ],
)
def test_r118_a_correction_that_makes_no_sense_is_refused(stage: Stage, quantity: int, more: dict[str, str], words: str) -> None:
    with pytest.raises(RefusedCorrectionError, match=words):
        correct(stage, quantity, **more)
    assert stage.stock("NJ1", "TEE-BLK-M") == 10


def test_r119_a_corrected_quantity_is_exported_absolutely_and_once(stage: Stage) -> None:
    correct(stage, -2)
    stage.job("ShopifyExportInventory")
    stage.job("ShopifyExportInventory")
    assert (stage.world.available("TEE-BLK-M", 7001), stage.calls("SetQuantities")) == (8, 1)


def test_r119_a_figure_that_neither_side_explains_is_a_conflict_and_is_not_overwritten(stage: Stage) -> None:
    stage.world.set_stock("TEE-BLK-M", 7001, 7)
    correct(stage, -2)
    tally = stage.job("ShopifyExportInventory")
    assert (stage.world.available("TEE-BLK-M", 7001), tally.done, tally.skipped) == (7, 0, 1)
    (task,) = stage.tasks("stock conflict")
    assert "Shopify has 7, expected 10 (as last exported) or 8" in task["text"]
    stage.world.set_stock("TEE-BLK-M", 7001, 10)
    stage.job("ShopifyExportInventory")
    assert (stage.world.available("TEE-BLK-M", 7001), stage.tasks("stock conflict")) == (8, [])


def test_r120_shopifys_own_restock_is_not_counted_again(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    stage.job("ShopifyExportInventory")
    assert (stage.world.available("TEE-BLK-M", 7001), stage.world.available("HOOD-GRY-M", 7001)) == (12, 11)


def report(stage: Stage, *counts: tuple[str, str, int], number: str = "S1", days: int = 0, kind: str = "snapshot") -> None:
    """ATLAS reports its stock of NJ1."""
    lines = tuple(
        StockLine(stated=sku, sku="" if sku == "ODD" else sku, quality=quality, quantity=n, position="segment 4") for sku, quality, n in counts
    )
    day = stage.ctx.local(stage.ctx.now()).date() + timedelta(days=days)
    document = StockReport(partner="ATLAS", kind=kind, number=number, reported_on=day, warehouse="NJ1", lines=lines)
    with database.writing(stage.ctx.engine) as connection:
        facts = {"direction": "in", "partner": "ATLAS", "name": f"{number}.edi", "sha256": number, "size": 1, "state": "shelved", "place": ""}
        partner_stock.add(connection, document, file_id=files.add(connection, at=stage.ctx.now(), **facts))


ALL_TEN = [("TEE-BLK-S", 10), ("TEE-BLK-M", 10), ("TEE-BLK-L", 10), ("HOOD-GRY-M", 10), ("DRS-RED-6", 10), ("DRS-RED-8", 10), ("CAP-NVY-OS", 10)]


def test_a_snapshot_is_compared_with_the_ledger_and_nothing_is_booked(stage: Stage) -> None:
    report(stage, *((sku, "good", n) for sku, n in ALL_TEN[1:]), ("TEE-BLK-S", "good", 9), ("HOOD-GRY-M", "second", 1), ("ODD", "good", 3))
    assert stage.job("CompareStock").done == 1
    assert stage.job("CompareStock").read == 0
    with database.reading(stage.ctx.engine) as connection:
        rows = partner_stock.list_differences(connection)
    assert {(r["warehouse"], r["sku"]): (r["ours"], r["theirs"]) for r in rows} == {
        ("NJ1", "SOCK-WHT-OS"): (10, None),
        ("NJ1", "TEE-BLK-S"): (10, 9),
        ("NJ1-SQ", "HOOD-GRY-M"): (0, 1),
    }
    (task,) = stage.tasks("stock differs")
    assert "TEE-BLK-S in NJ1: ours 10, theirs 9" in task["text"]
    assert stage.stock("NJ1", "TEE-BLK-S") == 10
    correct_stock(stage.ctx, warehouse="NJ1", sku="TEE-BLK-S", quantity=-1, reason="counted by ATLAS", actor="kim")
    report(stage, *((sku, "good", n) for sku, n in ALL_TEN[1:]), ("TEE-BLK-S", "good", 9), ("SOCK-WHT-OS", "", 10), number="S2")
    stage.job("CompareStock")
    assert stage.tasks("stock differs") == []


def test_an_adjustment_is_shown_as_a_movement_that_the_ledger_does_not_have(stage: Stage) -> None:
    report(stage, ("TEE-BLK-M", "good", -1), kind="adjustment")
    stage.job("CompareStock")
    with database.reading(stage.ctx.engine) as connection:
        (row,) = partner_stock.list_differences(connection)
    assert (row["kind"], row["sku"], row["ours"], row["theirs"]) == ("adjustment", "TEE-BLK-M", 0, -1)


def sheet(stage: Stage, document: str, number: int = 1) -> list[dict[str, str]]:
    """The rows of a CSV file in the ERP's outbox."""
    (path,) = (stage.folder / "outbox" / "ERP").glob(f"{document}_{number:06d}_*.csv")
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


def test_r123_credits_stock_and_orders_are_handed_over_once_with_totals_that_add_up(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=BOTH_FORMATS)
    process_in_full(stage, 77000001)
    process_in_full(stage, 77000002)
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    review(stage, 77000004, restock=False)
    stage.import_refunds()
    stage.job("ShopifyImportOrders")
    assert stage.job("ExportToErp").done == 8
    rows = sheet(stage, "CREDITS")
    lines = [r for r in rows if r["row"] == "LINE"]
    (total,) = [r for r in rows if r["row"] == "TOTAL"]
    assert (total["net"], total["tax"], total["gross"], total["quantity"], total["line"]) == ("320.00", "25.60", "345.60", "5", str(len(rows) - 1))
    assert sum(Decimal(r["gross"]) for r in lines) == sum(Decimal(r["gross"]) for r in rows if r["row"] == "SETTLEMENT") == Decimal("345.60")
    assert {(r["kind"], r["gross"]) for r in rows if r["row"] == "SETTLEMENT"} == {
        ("cash", "140.40"),
        ("exchange credit", "129.60"),
        ("cash", "75.60"),
    }
    stock = sheet(stage, "STOCK")
    assert {(r["warehouse"], r["quality"], r["sku"], r["quantity"]) for r in stock[:-1]} == {
        ("NJ1", "first", "TEE-BLK-M", "2"),
        ("NJ1", "first", "HOOD-GRY-M", "1"),
        ("NJ1", "first", "DRS-RED-6", "1"),
        ("NJ1-SQ", "second", "HOOD-GRY-M", "1"),
    }
    assert (stock[-1]["row"], stock[-1]["entry"], stock[-1]["quantity"]) == ("TOTAL", "4", "5")
    order, total = sheet(stage, "ORDERS")
    assert (order["order"], order["misc_charge"], order["ar"], total["misc_charge"], total["order"]) == (
        "EXC-1002",
        "-129.60",
        "0.00",
        "-129.60",
        "1",
    )

    before = sorted(p.name for p in (stage.folder / "outbox" / "ERP").iterdir())
    assert len(before) == 6
    assert stage.job("ExportToErp").done == 0
    assert sorted(p.name for p in (stage.folder / "outbox" / "ERP").iterdir()) == before
    assert health.verify(stage.ctx.engine, stage.ctx.folders) == []


def test_r123_a_spreadsheet_has_the_same_rows_with_numbers(make_stage: Callable[..., Stage]) -> None:
    from python_calamine import CalamineWorkbook

    stage = make_stage(edits=BOTH_FORMATS)
    correct(stage, -2, reason="=1+1")
    stage.job("ExportToErp")
    (path,) = (stage.folder / "outbox" / "ERP").glob("STOCK_000001_*.xlsx")
    head, row, total = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    found = dict(zip(head, row, strict=True))
    assert (found["quantity"], found["remark"], found["actor"], total[head.index("quantity")]) == (-2, "=1+1", "kim", -2)
    assert sheet(stage, "STOCK")[0]["remark"] == "'=1+1"


def test_r123_a_crash_between_making_and_delivering_neither_loses_nor_doubles_a_row(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=BOTH_FORMATS)
    correct(stage, -2)
    stage.run("ExportToErp")
    assert not list((stage.folder / "outbox" / "ERP").glob("*"))
    stage.reopen()
    stage.job("ExportToErp")
    assert len(list((stage.folder / "outbox" / "ERP").glob("STOCK_*"))) == 2
    assert len(sheet(stage, "STOCK")) == 2


def test_r123_without_formats_nothing_is_written(stage: Stage) -> None:
    correct(stage, -2)
    assert (stage.job("ExportToErp").skipped, (stage.folder / "outbox" / "ERP").exists()) == (1, False)
