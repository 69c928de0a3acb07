"""Delimited text: rows by meaning, and a finding for every oddity."""

import pytest

from gateway.edi.flatfile import Layout, Row, read_rows, write_rows
from gateway.edi.syntax import Finding, Severity

LAYOUT = Layout(columns={"rma": ("RMA", "Return No"), "sku": ("SKU", "Item"), "quantity": ("Qty", 3)}, required=frozenset({"rma", "sku"}))
FILE = b"Return No,Item,Qty\r\nRA1,TEE,2\r\nRA1,MUG,1\r\n"
ROWS = [Row(2, {"rma": "RA1", "sku": "TEE", "quantity": "2"}), Row(3, {"rma": "RA1", "sku": "MUG", "quantity": "1"})]


def read(data, layout=LAYOUT):
    return list(read_rows([data], layout))


def findings(data, layout=LAYOUT):
    return [each for each in read(data, layout) if isinstance(each, Finding)]


SAME = {
    "plain": FILE, "LF": FILE.replace(b"\r\n", b"\n"), "CR": FILE.replace(b"\r\n", b"\r"), "no last line end": FILE[:-2],
    "a byte order mark": b"\xef\xbb\xbf" + FILE, "UTF-16": FILE.decode().encode("utf-16"), "UTF-16 big end first": b"\xfe\xff" + FILE.decode().encode("utf-16-be"),
    "Ctrl-Z": FILE + b"\x1a", "NULs": FILE + b"\0\0", "blank lines at the end": FILE + b"\r\n  \r\n,,\r\n",
    "headers in other case": FILE.replace(b"Return No", b"RETURN_NO").replace(b"Item", b" item "), "blanks around": FILE.replace(b"TEE", b" TEE "),
    "quoted": FILE.replace(b"TEE", b'"TEE"'),
}  # fmt: skip


@pytest.mark.parametrize("data", SAME.values(), ids=SAME)
def test_it_reads_the_same_rows_from(data):
    assert read(data) == ROWS


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_it_reads_the_same_in_any_chunks(size):
    for data in SAME.values():
        assert list(read_rows([data[at : at + size] for at in range(0, len(data), size)], LAYOUT)) == ROWS


def test_it_takes_the_delimiter_from_a_first_line():
    assert [row.line for row in read(b"sep=;\r\n" + FILE.replace(b",", b";"))] == [3, 4]


def test_it_finds_the_delimiter_itself_when_none_is_given():
    for delimiter in (b";", b"\t", b"|"):
        assert read(FILE.replace(b",", delimiter), Layout(columns=LAYOUT.columns, delimiter="")) == ROWS


def test_it_counts_lines_as_an_editor_does():
    data = b'rma,sku,qty\r\n\r\nRA1,"TEE\r\nBLACK",1\r\nRA2,MUG,1\r\n'
    assert [row.line for row in read(data)] == [3, 5] and read(data)[0].values["sku"] == "TEE\nBLACK"


def test_it_reads_columns_by_number_without_a_header():
    layout = Layout(columns={"rma": (1,), "sku": (2,)}, required=frozenset({"rma"}), has_header=False)
    assert read(b"RA1,TEE,2\n", layout) == [Row(1, {"rma": "RA1", "sku": "TEE"})]


def test_it_leaves_quotes_alone_when_there_are_none_in_the_layout():
    assert read(b'rma,sku,qty\nRA1,12" DISC,1\n', Layout(columns=LAYOUT.columns, quote=""))[0].values["sku"] == '12" DISC'


def test_it_names_a_missing_column_and_the_header_found():
    (found,) = read(b"Order,Item,Qty\n1,TEE,2\n")
    assert (found.code, found.severity, found.line) == ("flat.column-missing", Severity.ERROR, 1)
    assert "RMA or Return No" in found.message and "Order, Item, Qty" in found.message


def test_it_reports_rows_with_too_few_and_too_many_cells():
    few, row, many, kept = read(b"rma,sku,qty\nRA1\nRA1,TEE,1\nRA1,MUG,1,X\n")
    assert (few.code, few.severity, few.line) == ("flat.cells-few", Severity.ERROR, 2)
    assert (many.code, many.severity, many.line, many.element) == ("flat.cells-many", Severity.NOTE, 4, 4)
    assert row.line == 3 and kept.line == 4


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\xef\xbb\xbf", b"\x1a"])
def test_it_says_that_a_file_is_empty(data):
    assert [found.code for found in findings(data)] == ["flat.empty"]


def test_it_says_that_a_file_has_no_rows():
    assert [found.code for found in findings(b"rma,sku,qty\n")] == ["flat.no-rows"]


def test_it_reads_on_as_cp1252_when_bytes_are_not_utf_8():
    found, row = read(b"rma,sku,qty\nRA1,CAF\xc9,1\n")
    assert found.code == "flat.undecodable" and "C9" in found.message and row.values["sku"] == "CAFÉ"


def test_it_reports_a_cell_that_never_ends():
    data = b'rma,sku,qty\nRA1,"' + b"x" * 200_000 + b"\n"
    assert "flat.unreadable" in [found.code for found in findings(data)]


def test_it_writes_what_it_reads():
    data = write_rows(["rma", "sku", "qty"], [["RA1", 'T,"E', "2"]], line_end="\n")
    assert data == b'rma,sku,qty\nRA1,"T,""E",2\n' and read(data)[0].values["sku"] == 'T,"E'
    assert write_rows(None, [["a", ""]], delimiter=";", quote_all=True) == b'"a";""\r\n'
