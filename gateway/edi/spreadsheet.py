"""A sheet of an XLSX read row by row and written: the same rows and findings as `flatfile`.

What a spreadsheet does to data is undone where it can be and told where it cannot: a number is written without the `.0` that the sheet gave it, a date
as ISO text, a formula by its stored value; an error cell or a formula without one is empty, and so a fault where a value is needed. The file is unpacked
only when it is no larger than said, holds no macros and points nowhere outside. The reading library is imported when a sheet is read.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import Any

from gateway.edi.flatfile import Layout, Row, find_columns, to_row
from gateway.edi.syntax import Finding, Scope, Severity

LARGEST_FILE = 16 * 1024 * 1024
LARGEST_UNPACKED = 256 * 1024 * 1024
HEADER_WITHIN = 20


def read_rows(chunks: Iterable[bytes], layout: Layout, *, sheet: str = "", header_within: int = HEADER_WITHIN) -> Iterator[Row | Finding]:
    """The rows of a sheet, by name or the first that is visible, under the first row that has all required columns."""
    content = _gather(chunks)
    refused = _refuse(content)
    if refused:
        yield refused
        return
    found = _open_sheet(content, sheet)
    if isinstance(found, Finding):
        yield found
        return
    rows = ((number, [_text(cell) for cell in row]) for number, row in found)
    tried: list[tuple[int, list[str]]] = []
    for number, cells in rows:
        columns, missing = find_columns(number, cells, layout)
        if not missing:
            yield from _under(rows, columns, cells, layout)
            return
        tried.append((number, cells))
        if len(tried) >= header_within:
            break
    yield from _no_header(tried, layout)


def _under(rows: Iterator[tuple[int, list[str]]], columns: dict[str, int], head: list[str], layout: Layout) -> Iterator[Row | Finding]:
    seen = False
    for number, cells in rows:
        if any(cells):
            seen = True
            yield from to_row(number, cells, columns, len(head), layout, head)
    if not seen:
        yield _finding("flat.no-rows", "The sheet has a header line and no rows.", "Nothing to do.", severity=Severity.NOTE)


def _no_header(tried: list[tuple[int, list[str]]], layout: Layout) -> Iterator[Finding]:
    filled = [(number, cells) for number, cells in tried if any(cells)]
    if not filled:
        yield _finding("flat.empty", "The sheet is empty.", "Nothing to do; ask the sender if rows were expected.", severity=Severity.NOTE)
        return
    yield from min((find_columns(number, cells, layout)[1] for number, cells in filled), key=len)


def _gather(chunks: Iterable[bytes]) -> bytes:
    gathered, size = [], 0
    for chunk in chunks:
        gathered.append(chunk)
        size += len(chunk)
        if size > LARGEST_FILE:
            break
    return b"".join(gathered)


def _refuse(content: bytes) -> Finding | None:
    """Why a file is not opened at all."""
    if len(content) > LARGEST_FILE:
        return _finding("sheet.large", f"The spreadsheet has more than {LARGEST_FILE} bytes.", "Ask the sender to send it in parts, or as CSV.")
    if not content.startswith(b"PK"):
        kind = "an old .xls" if content.startswith(b"\xd0\xcf\x11\xe0") else "HTML or text"
        return _finding("sheet.not-xlsx", f"The file is no XLSX: it is {kind} under that name.", "Ask the sender to save it as .xlsx.")
    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except zipfile.BadZipFile:
        return _finding("sheet.damaged", "The spreadsheet cannot be unpacked: it is damaged or was cut off.", "Ask the sender to send it again.")
    if sum(part.file_size for part in parts) > LARGEST_UNPACKED:
        return _finding("sheet.large", f"Unpacked, the spreadsheet has more than {LARGEST_UNPACKED} bytes.", "Ask the sender to send it in parts.")
    if any("vbaproject" in part.filename.lower() for part in parts):
        return _finding("sheet.macros", "The spreadsheet holds macros.", "Ask the sender to save it as .xlsx without macros.")
    return None


def _open_sheet(content: bytes, name: str) -> Iterator[tuple[int, list[Any]]] | Finding:
    import python_calamine as calamine

    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        visible = [entry.name for entry in book.sheets_metadata if entry.visible == calamine.SheetVisibleEnum.Visible]
        chosen = name or next(iter(visible), "")
        if chosen not in book.sheet_names:
            there = ", ".join(book.sheet_names)
            return _finding("sheet.missing", f"There is no sheet {chosen!r}; there are: {there}.", "Correct the name of the sheet in the profile.")
        rows = book.get_sheet_by_name(chosen).to_python(skip_empty_area=False)
    except (calamine.CalamineError, OSError, ValueError) as fault:
        return _finding("sheet.damaged", f"The spreadsheet cannot be read: {fault}.", "Ask the sender to save it again as .xlsx.")
    return chain(enumerate(rows, 1))


def _text(cell: object) -> str:
    """A cell as a person reads it."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, time | timedelta):
        return str(cell)
    return str(cell).strip()


def write_sheet(header: Sequence[str], rows: Iterable[Sequence[str]], *, sheet: str = "Returns") -> bytes:
    """An XLSX of one sheet in which every cell is text, so that no digit of a number is lost."""
    import xlsxwriter  # type: ignore[import-untyped]  # it carries no types

    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001 - the same rows give the same bytes
    page = book.add_worksheet(sheet)
    text = book.add_format({"num_format": "@"})
    for number, row in enumerate(chain([header], rows)):
        for column, value in enumerate(row):
            page.write_string(number, column, value, text)
    page.freeze_panes(1, 0)
    book.close()
    return stream.getvalue()


def _finding(code: str, message: str, remedy: str, *, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code=code, severity=severity, scope=Scope.FILE, message=message, remedy=remedy)
