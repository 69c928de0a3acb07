"""Reports: the figures of a month, every difference named, in files that no spreadsheet misreads."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from gateway.cli import tell
from gateway.cli.main import cli
from gateway.store import database
from gateway.store.schema import stock_ledger
from gateway.views import reports, scorecards, sheets, tying
from tests.journeys.steps import announce, come_back, process_in_full, review
from tests.stage import Stage


def live_a_month(stage: Stage) -> None:
    """A-001, A-010, A-020 and A-030, whole."""
    process_in_full(stage, 77000001)
    process_in_full(stage, 77000002)
    announce(stage, 77000003)
    come_back(stage, 77000003, ("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0))
    review(stage, 77000003, process=True, remove=[830003])
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    review(stage, 77000004, process=True, restock=False)
    stage.loop_finishes()
    stage.import_rmas()
    stage.import_refunds()
    stage.job("ShopifyImportOrders")


def ask(stage: Stage, name: str) -> reports.Table:
    """A report over everything."""
    with database.reading(stage.ctx.engine) as connection:
        return reports.make(connection, name, reports.Question(now=stage.ctx.now(), limits=stage.ctx.limits))


def command(stage: Stage, *arguments: str) -> Any:
    """A command in the stage's workspace."""
    return CliRunner().invoke(cli, [*arguments, "--config", str(stage.folder)], env=stage.environment, standalone_mode=False)


def test_a123_a_month_ties_out_to_the_cent(stage: Stage) -> None:
    live_a_month(stage)
    with database.reading(stage.ctx.engine) as connection:
        found = tying.tie_out(connection)
    usd = found.amounts["USD"]
    assert [row["credit"] for row in found.rows] == [Decimal(x) for x in ("140.40", "129.60", "108.00", "75.60")]
    assert (usd["credits"], usd["cash"], usd["exchange credit"]) == (Decimal("453.60"), Decimal("324.00"), Decimal("129.60"))
    assert usd["refunds imported"] == Decimal("453.60")
    assert found.units == {"good": 6, "second": 1, "not returned": 1}
    assert found.differences == []
    table = ask(stage, "month-end")
    assert "differences: none" in table.notes
    assert [row["posted"] for row in table.rows] == [3, 1, 2, 1]


def test_every_side_that_disagrees_is_named_with_its_return(stage: Stage) -> None:
    live_a_month(stage)
    with database.writing(stage.ctx.engine) as connection:
        connection.execute(update(stock_ledger).where(stock_ledger.c.sku == "DRS-RED-6", stock_ledger.c.cause == "refund").values(quantity=2))
    with database.reading(stage.ctx.engine) as connection:
        assert tying.find_differences(connection, ["77000001", "77000002"]) == {
            "77000002": [
                "RMA 77000002: DRS-RED-6 2 posted to stock, 1 credited by refunds",
                "RMA 77000002: DRS-RED-6 2 posted to stock, 1 received",
            ]
        }
    done = command(stage, "report", "month-end")
    assert done.return_value == 2
    assert "DIFFERENCE RMA 77000002" in done.output


@pytest.mark.parametrize("name", reports.REPORTS)
def test_every_report_can_be_had_in_every_form(stage: Stage, name: str, tmp_path: Path) -> None:
    live_a_month(stage)
    shown = json.loads(command(stage, "report", name, "--json").output)
    assert shown["columns"] == list(reports.REPORTS[name].columns)
    assert all(set(row) == set(shown["columns"]) for row in shown["rows"])
    for form in ("csv", "xlsx", "json"):
        out = tmp_path / f"{name}.{form}"
        assert command(stage, "report", name, "--out", str(out)).return_value == 0
        assert out.stat().st_size > 0
    text = (tmp_path / f"{name}.csv").read_text(encoding="utf-8-sig")
    assert len(list(csv.DictReader(io.StringIO(text)))) == len(shown["rows"])
    assert command(stage, "report", name).return_value == 0


def test_the_figures_of_the_small_reports(stage: Stage) -> None:
    live_a_month(stage)
    assert [(r["style"], r["sku"], r["received"], r["second"]) for r in ask(stage, "damaged").rows] == [("HOOD", "HOOD-GRY-M", 3, 1)]
    assert {r["reason"]: r["returns"] for r in ask(stage, "flagged").rows} == {"process": 2, "SHORT": 1, "DAMAGED": 1}
    assert sum(r["value"] for r in ask(stage, "reasons").rows) == Decimal("480.60")
    assert [r["status"] for r in ask(stage, "refunds").rows] == ["imported"] * 4
    short = [r for r in ask(stage, "expected").rows if r["not_returned"]]
    assert [(r["sku"], r["missing"]) for r in short] == [("CAP-NVY-OS", 0)]
    stage.receive("RA-NOBODY", [("HOOD-GRY-M", 1)], receipt_no="WR9", final=True)
    assert [(r["receipt_no"], r["goods"]) for r in ask(stage, "unmatched").rows] == [("WR9", "1 x HOOD-GRY-M")]


def test_a_partners_week_is_measured(stage: Stage) -> None:
    announce(stage, 77000001)
    stage.world.scan_label(77000001, "delivered")
    stage.wait(1)
    stage.import_rmas()
    stage.job("TellPeople")
    stage.wait(7200)
    stage.partners_answer()
    (week,) = ask(stage, "scorecard").rows
    with database.reading(stage.ctx.engine) as connection:
        this, *before = scorecards.list_recent(connection, "ATLAS", now=stage.ctx.now())
    assert (this["week"], this["files"], this["rate"]) == (week["week"], week["files"], "0.0 %"), "the partner's page says the same"
    assert [row["rate"] for row in before] == ["–"] * 7
    assert (week["partner"], week["files"], week["receipts"]) == ("ATLAS", 2, 1)
    assert (week["error %"], week["discrepancy %"], week["duplicate %"], week["not acknowledged %"]) == (0.0, 0.0, 0.0, 0.0)
    assert week["delivery to receipt, h"] == week["acknowledgement, h"] == 2.0


def test_a_period_takes_whole_days_of_the_merchant(stage: Stage) -> None:
    live_a_month(stage)
    today = f"{stage.ctx.local(stage.ctx.now()):%Y-%m-%d}"
    assert len(json.loads(command(stage, "report", "refunds", "--from", today, "--to", today, "--json").output)["rows"]) == 4
    assert json.loads(command(stage, "report", "refunds", "--to", "2020-01-01", "--json").output)["rows"] == []


def hostile() -> reports.Table:
    """A report whose texts would be formulas."""
    texts = ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "plain", '=HYPERLINK("http://x")']
    rows = [{"text": text, "amount": Decimal("-5.10"), "count": -1} for text in texts]
    return reports.Table(name="hostile", title="Hostile", columns=("text", "amount", "count"), rows=rows, notes=("=1",), money=frozenset({"amount"}))


def test_no_text_becomes_a_formula_in_csv() -> None:
    rows = list(csv.reader(io.StringIO(sheets.to_csv(hostile()).decode("utf-8-sig"), newline="")))
    assert [row[0][0] for row in rows[1:]] == ["'"] * 6 + ["p", "'"]
    assert rows[1][1:] == ["-5.10", "-1"]


def test_no_text_becomes_a_formula_in_a_workbook() -> None:
    pandas = pytest.importorskip("pandas")
    content = sheets.to_xlsx(hostile())
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert all(b"<f>" not in book.read(name) for name in book.namelist() if name.startswith("xl/worksheets"))
        assert b"0.00" in book.read("xl/styles.xml")
    read = pandas.read_excel(io.BytesIO(content), engine="calamine")
    assert read["text"].tolist()[0] == "'=1+1"
    assert read["amount"].tolist() == [-5.1] * 8


def test_the_command_knows_every_report() -> None:
    assert tuple(reports.REPORTS) == tell.NAMES
