"""A report as CSV, XLSX or JSON.

Text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or a carriage return) gets an apostrophe in front; numbers are
written as numbers and need none. Amounts keep two places and never pass through a float on the way to text.
"""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

from gateway.views.reports import Table

FORMULA = ("=", "+", "-", "@", "\t", "\r")
WIDEST = 60
MOST_ROWS = 1_048_000  # what a sheet holds, less its head


def to_text(table: Table, column: str, value: Any) -> str:
    """A cell as people read it."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:.2f}" if column in table.money else str(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(entry) for entry in value)
    return str(value)


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _cell(table: Table, column: str, value: Any) -> str:
    text = to_text(table, column, value)
    return text if isinstance(value, int | float | Decimal) else safe(text)


def to_csv(table: Table) -> bytes:
    """A report as CSV: UTF-8 with a mark that spreadsheets need, one head line, notes left out."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows([_cell(table, column, row.get(column)) for column in table.columns] for row in table.rows)
    return stream.getvalue().encode("utf-8-sig")


def to_json(table: Table) -> dict[str, Any]:
    """A report as a record: amounts as text with two places."""
    rows = [{column: _plain(table, column, row.get(column)) for column in table.columns} for row in table.rows]
    return {"report": table.name, "title": table.title, "columns": list(table.columns), "rows": rows, "notes": list(table.notes)}


def _plain(table: Table, column: str, value: Any) -> Any:
    return to_text(table, column, value) if isinstance(value, Decimal) else value


def to_xlsx(table: Table) -> bytes:
    """A report as a formatted workbook: frozen head, filter, widths, amounts as numbers with two places, notes on a second sheet."""
    import xlsxwriter  # type: ignore[import-untyped]  # it has no types

    stream = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(stream, options) as book:
        book.set_properties({"title": table.title})
        head = book.add_format({"bold": True, "bottom": 1, "bg_color": "#E8EDF2"})
        money = book.add_format({"num_format": "#,##0.00"})
        sheet = book.add_worksheet(table.name[:31])
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(table.columns):
            sheet.write_string(0, place, column, head)
            _write_column(sheet, table, place, money)
        sheet.autofilter(0, 0, max(len(table.rows), 1), len(table.columns) - 1)
        if table.notes:
            notes = book.add_worksheet("notes")
            notes.set_column(0, 0, WIDEST * 2)
            for place, text in enumerate(table.notes):
                notes.write_string(place, 0, safe(text))
    return stream.getvalue()


def _write_column(sheet: Any, table: Table, place: int, money: Any) -> None:
    column = table.columns[place]
    widest = len(column)
    for number, row in enumerate(table.rows[:MOST_ROWS], start=1):
        value = row.get(column)
        if value is None:
            continue
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            sheet.write_number(number, place, value, money if column in table.money else None)
        else:
            sheet.write_string(number, place, safe(to_text(table, column, value)))
        widest = max(widest, len(to_text(table, column, value)))
    sheet.set_column(place, place, min(widest + 2, WIDEST))
