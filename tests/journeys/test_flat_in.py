"""R-076, R-084: flat receipts through the whole intake: applied, split, and refused as a whole where half of them must not count."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from gateway.edi import spreadsheet
from tests.journeys.steps import announce
from tests.stage import Stage

PACIFIC = "mappings/pacific.toml"
HEADER = "receipt_number,ra_number,received_at,sku,upc,quantity,condition,final,note\r\n"
FIXED = """
[receive.fixed_receipt]
date_format = "%Y%m%d"
conditions = { "07" = "good", "01" = "second" }
[receive.fixed_receipt.layout]
mark = { start = 1, length = 1 }
marks = { header = "H", line = "D", trailer = "T" }
[receive.fixed_receipt.layout.header]
receipt_number = { start = 2, length = 12 }
ra = { start = 14, length = 22 }
received_on = { start = 36, length = 8 }
[receive.fixed_receipt.layout.line]
sku = { start = 2, length = 20 }
quantity = { start = 22, length = 9, align = "right", fill = "0", decimals = 2 }
condition = { start = 31, length = 2 }
[receive.fixed_receipt.layout.trailer]
lines = { start = 2, length = 7, align = "right", fill = "0" }
"""


def as_fixed(*records: str) -> bytes:
    """A file of fixed width from `H number ra day`, `D sku quantity condition`, `T count`."""
    lines = []
    for record in records:
        kind, *values = record.split()
        widths = {"H": (12, 22, 8), "D": (20, 9, 2), "T": (7,)}[kind]
        lines.append(kind + "".join(value.ljust(width) for value, width in zip(values, widths, strict=True)))
    return ("\r\n".join(lines) + "\r\n").encode()


def error_file(stage: Stage, name: str) -> bytes:
    """The file of just the bad documents."""
    return (stage.folder / "var" / "error" / "PACIFIC" / name).read_bytes()


def announced(make_stage: Callable[..., Stage], *edits: tuple[str, str, str]) -> Stage:
    """A stage on which two returns are announced to PACIFIC."""
    stage = make_stage(edits=edits)
    announce(stage, 77000001, 502)
    announce(stage, 77000004, 502)
    return stage


def test_a_csv_with_one_bad_receipt_is_split_and_the_rest_can_be_dropped_again(make_stage: Callable[..., Stage]) -> None:
    stage = announced(make_stage)
    good = "P1,RA77000001,2026-11-23,TEE-BLK-M,,2,GOOD,Y,\r\nP1,RA77000001,2026-11-23,HOOD-GRY-M,,1,GOOD,Y,\r\n"
    bad = 'P2,RA77000004,2026-11-23,HOOD-GRY-M,,one,GOOD,Y,"torn, wet"\r\n'
    stage.drop("PACIFIC", "r.csv", (HEADER + good + bad).encode())
    assert stage.file("r.csv").outcome == "partial"
    assert (stage.calls("process", 77000001), stage.calls("process", 77000004)) == (1, 0)
    assert stage.side_file("r.csv", partner="PACIFIC").startswith(
        "receipt at line 4, line 4, column 6: the quantity 'one' is not a whole number of units.\n"
    )
    rest = error_file(stage, "r.csv.to-correct.csv").decode()
    assert list(csv.reader(io.StringIO(rest))) == list(csv.reader(io.StringIO(HEADER + bad)))
    stage.drop("PACIFIC", "corrected.csv", rest.replace("one", "1").encode())
    assert (stage.file("corrected.csv").outcome, stage.calls("process", 77000004)) == ("applied", 1)
    assert stage.calls("process", 77000001) == 1


def test_a_row_that_was_cut_spoils_only_its_receipt(make_stage: Callable[..., Stage]) -> None:
    stage = announced(make_stage)
    rows = "P1,RA77000001,2026-11-23,TEE-BLK-M,,2,GOOD,Y,\r\nP1,RA77000001,2026-11-23,HOOD-GRY-M,,1,GOOD,Y,\r\n"
    stage.drop("PACIFIC", "r.csv", (HEADER + rows + "P2,RA77000004,2026-11-23,HOOD-GRY-M,,1,GOOD\r\n").encode())
    assert (stage.file("r.csv").outcome, stage.calls("process", 77000001), stage.calls("process", 77000004)) == ("partial", 1, 0)
    assert "The row has 7 cells; the header has 9." in stage.side_file("r.csv", partner="PACIFIC")
    stage.drop("PACIFIC", "cut.csv", (HEADER + rows.replace("P1", "P9") + "P3,RA770\r\n").encode())
    assert stage.file("cut.csv").outcome == "error"


def test_a_file_of_fixed_width_is_applied_and_split(make_stage: Callable[..., Stage]) -> None:
    stage = announced(make_stage, (PACIFIC, "[receive.csv_receipt]", FIXED + "\n[receive.csv_receipt]"))
    records = [
        "H P1 RA77000001 20261123",
        "D TEE-BLK-M 000000200 07",
        "D HOOD-GRY-M 000000100 07",
        "H P2 RA77000004 20261123",
        "D HOOD-GRY-M 000000x00 07",
    ]
    stage.drop("PACIFIC", "r.txt", as_fixed(*records, "T 0000003"))
    assert (stage.file("r.txt").outcome, stage.calls("process", 77000001), stage.calls("process", 77000004)) == ("partial", 1, 0)
    assert "line 5, column 28" in stage.side_file("r.txt", partner="PACIFIC").splitlines()[0]
    assert error_file(stage, "r.txt.to-correct.txt") == as_fixed(*records[3:])


@pytest.mark.parametrize("trailer", ["T 0000009", ""], ids=["wrong", "missing"])
def test_a_trailer_that_is_wrong_or_missing_stops_the_whole_file(make_stage: Callable[..., Stage], trailer: str) -> None:
    stage = announced(make_stage, (PACIFIC, "[receive.csv_receipt]", FIXED + "\n[receive.csv_receipt]"))
    records = ["H P1 RA77000004 20261123", "D HOOD-GRY-M 000000100 07", *([trailer] if trailer else [])]
    stage.drop("PACIFIC", "r.txt", as_fixed(*records))
    assert (stage.file("r.txt").outcome, stage.calls("process", 77000004), stage.receipts()) == ("error", 0, [])
    assert "Send the file again, complete." in stage.side_file("r.txt", partner="PACIFIC")


def test_a055_a_spreadsheet_that_lost_leading_zeros_is_applied_and_split(make_stage: Callable[..., Stage]) -> None:
    """A-055's UPC, in a spreadsheet."""
    part = '[receive.xlsx_receipt]\nconditions = { GOOD = "good", SECOND = "second" }\n'
    stage = announced(make_stage, (PACIFIC, "[receive.csv_receipt]", part + "\n[receive.csv_receipt]"))
    header = HEADER.strip().split(",")
    rows = [
        ["P1", "RA77000004", "2026-11-23", "HOOD-GRY-M", "", "1", "GOOD", "Y", ""],
        ["P2", "RA77000001", "2026-11-23", "", "84000010085", "1", "GOOD", "", ""],
    ]
    bad = ["P3", "RA77000001", "23.11.2026", "TEE-BLK-M", "", "1", "GOOD", "", ""]
    stage.drop("PACIFIC", "r.xlsx", spreadsheet.write_sheet(header, [*rows, bad], sheet="Any"))
    assert (stage.file("r.xlsx").outcome, stage.calls("process", 77000004)) == ("partial", 1)
    assert [line.sku for receipt in stage.receipts() for line in receipt.document.lines] == ["HOOD-GRY-M", "SOCK-WHT-OS"]
    assert "line 4, column 3: the date '23.11.2026'" in stage.side_file("r.xlsx", partner="PACIFIC").splitlines()[0]
    rest = error_file(stage, "r.xlsx.to-correct.xlsx")
    stage.drop("PACIFIC", "as.csv", HEADER.encode() + b"P3,RA77000001,2026-11-23,TEE-BLK-M,,1,GOOD,,\r\n")
    assert (stage.file("as.csv").outcome, rest[:2]) == ("applied", b"PK")


NO_XLSX = {
    "macros.xlsx": ("macros", b"xl/vbaProject.bin"),
    "old.xls": ("old .xls", b""),
    "cut.xlsx": ("damaged", b""),
}


@pytest.mark.parametrize("name", NO_XLSX)
def test_what_only_calls_itself_a_spreadsheet_is_refused_in_words(make_stage: Callable[..., Stage], name: str) -> None:
    import zipfile

    stage = make_stage(edits=((PACIFIC, "[receive.csv_receipt]", '[receive.xlsx_receipt]\nconditions = { GOOD = "good" }\n[receive.csv_receipt]'),))
    content = {"old.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "cut.xlsx": spreadsheet.write_sheet(["a"], [["b"]])[:500]}.get(name, b"")
    if not content:
        stream = io.BytesIO(spreadsheet.write_sheet(["a"], [["b"]]))
        with zipfile.ZipFile(stream, "a") as archive:
            archive.writestr(NO_XLSX[name][1].decode(), b"x")
        content = stream.getvalue()
    stage.drop("PACIFIC", name, content)
    assert stage.file(name).outcome == "error"
    assert NO_XLSX[name][0] in stage.side_file(name, partner="PACIFIC")
