"""Delimited text read row by row, and written: the columns are found by name or number, every oddity leaves a finding.

A column that is not found, a row with too many or too few cells, text that cannot be decoded and an empty file are findings
with line and column; what the values mean is the caller's business. Lines count as in an editor: a quoted cell may hold line
ends, so a row has the number of its first line.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from gateway.edi.syntax import Finding, Scope, Severity

Names = tuple[str | int, ...]
_LONGEST_CELL = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a partner's file is laid out: `columns` gives for each meaning the header names or column numbers (from 1) to try.

    An empty delimiter is found from the first line, an empty encoding from a BOM, else UTF-8, else cp1252.
    """

    columns: Mapping[str, Names]
    required: frozenset[str] = frozenset()
    delimiter: str = ","
    quote: str = '"'
    encoding: str = ""
    has_header: bool = True
    record_column: int = 0
    records: Mapping[str, str] = field(default_factory=dict)
    header_columns: Mapping[str, int] = field(default_factory=dict)
    trailer_columns: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the number of its first line, and its values by meaning, blanks around them removed.

    `places` tells in which column (or, in fixed width, at which character) each value stands, from 1; `cells` are as sent, and `head` those of the header
    it stands under. `record` is `line`, or `header` or `trailer` where a layout has them: a header's values are also given with each line under it.
    """

    line: int
    values: dict[str, str] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict, compare=False)
    cells: Sequence[str] = field(default=(), compare=False)
    record: str = field(default="line", compare=False)
    head: Sequence[str] = field(default=(), compare=False)


def read_rows(chunks: Iterable[bytes], layout: Layout) -> Iterator[Row | Finding]:
    """The rows of a file and what is wrong with it, in its order."""
    oddities: list[Finding] = []
    lines = _Lines(_texts(chunks, layout.encoding, oddities))
    rows = _cells(lines, layout, oddities)
    opening = next(rows, None)
    told = _taken(oddities)
    yield from told
    if opening is None and not told:
        remedy = "Nothing to do; ask the sender if rows were expected."
        yield _finding("flat.empty", Severity.NOTE, "The file is empty.", remedy)
    if opening is None:
        return
    if layout.records:
        yield from read_records(chain([opening], rows), layout)
        yield from _taken(oddities)
        return
    line, cells = opening
    columns = _columns(cells, layout)
    missing = _missing(line, cells, columns, layout)
    if missing:
        yield from missing
        return
    if not layout.has_header:
        rows = chain([opening], rows)
    seen = False
    head = cells if layout.has_header else ()
    for line, row in rows:
        seen = True
        yield from _taken(oddities)
        yield from to_row(line, row, columns, len(cells), layout, head)
    yield from _taken(oddities)
    if not seen:
        yield _finding("flat.no-rows", Severity.NOTE, "The file has a header line and no rows.", "Nothing to do.", line=1)


def to_row(line: int, cells: list[str], columns: dict[str, int], width: int, layout: Layout, head: Sequence[str]) -> Iterator[Row | Finding]:
    """A row under a header, and a finding when its cells are not as many as the header's."""
    if len(cells) != width:
        yield _wrong_width(line, len(cells), width)
    if any(at >= len(cells) for meaning, at in columns.items() if meaning in layout.required):
        return
    values = {meaning: cells[at].strip() if at < len(cells) else "" for meaning, at in columns.items()}
    yield Row(line, values, {meaning: at + 1 for meaning, at in columns.items()}, cells, head=head)


def read_records(rows: Iterable[tuple[int, list[str]]], layout: Layout) -> Iterator[Row | Finding]:
    """Rows of several kinds, told apart by the mark in one column; the columns of a line are numbers."""
    numbers = {meaning: places[0] for meaning, places in layout.columns.items() if places and isinstance(places[0], int)}
    columns = {"header": layout.header_columns, "line": numbers, "trailer": layout.trailer_columns, "ignore": {}}
    header: dict[str, str] = {}
    for line, cells in rows:
        mark = cells[layout.record_column - 1].strip() if len(cells) >= layout.record_column else ""
        record = layout.records.get(mark)
        if record is None:
            yield _unknown_record(line, mark, layout)
            continue
        values = {meaning: cells[at - 1].strip() if at <= len(cells) else "" for meaning, at in columns[record].items()}
        if record == "header":
            header = values
        elif record == "line":
            values = header | {meaning: value for meaning, value in values.items() if value or meaning not in header}
        yield Row(line, values, columns[record], cells, record)


def _unknown_record(line: int, mark: str, layout: Layout) -> Finding:
    message = f"The row begins with {mark!r}, which is no kind of row here ({', '.join(layout.records)} are)."
    return _finding("flat.record-unknown", Severity.ERROR, message, "Ask the sender what it is; name it under `records` in the profile.", line=line)


def find_columns(line: int, cells: list[str], layout: Layout) -> tuple[dict[str, int], list[Finding]]:
    """Where each meaning stands under a header, counted from 0, and a finding for each that is required and not there."""
    columns = _columns(cells, layout)
    return columns, _missing(line, cells, columns, layout)


def text_lines(chunks: Iterable[bytes], encoding: str) -> Iterator[tuple[int, str | Finding]]:
    """The lines of a text with their numbers, and a finding where the encoding does not fit."""
    oddities: list[Finding] = []
    lines = _Lines(_texts(chunks, encoding, oddities))
    for text in lines:
        yield from ((lines.number, finding) for finding in _taken(oddities))
        yield lines.number, text


def write_rows(
    header: Sequence[str] | None,
    rows: Iterable[Sequence[str]],
    *,
    delimiter: str = ",",
    line_end: str = "\r\n",
    quote_all: bool = False,
) -> bytes:
    """The bytes of a delimited file in UTF-8; quoted where a value needs it, or everywhere."""
    text = io.StringIO(newline="")
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    if header is not None:
        writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


class _Lines:
    """Text cut into lines by CR, LF or CRLF; counts them, and stops at a Ctrl-Z."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        held = ""
        for text in self._texts:
            held += text
            *whole, held = _split(held)
            for line in whole:
                self.number += 1
                yield line
        held = held.rstrip("\x1a\0\r")
        if held:
            self.number += 1
            yield held


def _split(text: str) -> list[str]:
    """The whole lines in `text` with their ends made LF, and what is left; a CR at the very end may be half of a CRLF."""
    tail = "\r" if text.endswith("\r") else ""
    text = text[: len(text) - len(tail)].replace("\r\n", "\n").replace("\r", "\n")
    *whole, rest = text.split("\n")
    return [*(line + "\n" for line in whole), rest + tail]


def _texts(chunks: Iterable[bytes], encoding: str, oddities: list[Finding]) -> Iterator[str]:
    """The decoded text; bytes that do not fit are read as cp1252 or, where that has no character, replaced."""
    pieces = iter(chunks)
    first = b""
    for chunk in pieces:
        first += chunk
        if len(first) >= 4:
            break
    for mark, name in _BOMS:
        if first.startswith(mark):
            first, encoding = first[len(mark) :], name
            break
    decoder = codecs.getincrementaldecoder(encoding or "utf-8")("strict")
    fallback = codecs.getincrementaldecoder("cp1252")("replace")
    for chunk in _and_end(first, pieces):
        pending = decoder.getstate()[0]
        try:
            yield decoder.decode(chunk, not chunk)
        except UnicodeDecodeError as error:
            told = encoding or "UTF-8"
            bad = error.object[error.start : error.start + 1].hex().upper()
            oddities.append(
                _finding(
                    "flat.undecodable",
                    Severity.NOTE,
                    f"The byte {bad} does not fit the encoding {told}; from here on the file is read as cp1252.",
                    "Look at the accented letters; set the encoding in the profile.",
                )
            )
            decoder = fallback
            yield decoder.decode(pending + chunk, not chunk)


def _and_end(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from (chunk for chunk in (first,) if chunk)
    yield from (chunk for chunk in rest if chunk)
    yield b""


def _cells(lines: _Lines, layout: Layout, oddities: list[Finding]) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that is not blank, with the number of its first line."""
    source = iter(lines)
    first = next((line for line in source if line.strip(" \n\x1a\0")), None)
    if first is None:
        return
    delimiter = layout.delimiter or _guess(first)
    if first.lower().startswith("sep=") and len(first.rstrip("\n")) == 5:
        delimiter = first[4]
        first = next(source, None)
        if first is None:
            return
    before = lines.number - 1
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE
    reader = csv.reader(chain([first], source), delimiter=delimiter, quotechar=layout.quote or None, quoting=quoting)
    line = before + 1
    try:
        for cells in reader:
            if any(cell.strip(" \x1a\0") for cell in cells):
                yield line, cells
            line = before + 1 + reader.line_num
    except csv.Error as error:
        message = f"The rows cannot be read from here on: {error}."
        remedy = "Look for a quotation mark that is not closed."
        oddities.append(_finding("flat.unreadable", Severity.ERROR, message, remedy, line=line))


def _guess(line: str) -> str:
    return max(",;\t|", key=line.count)


def _columns(cells: list[str], layout: Layout) -> dict[str, int]:
    """Where each meaning stands, counted from 0."""
    headers = {_plain(cell): at for at, cell in reversed(list(enumerate(cells)))} if layout.has_header else {}
    columns = {}
    for meaning, candidates in layout.columns.items():
        places = (name - 1 if isinstance(name, int) else headers.get(_plain(name)) for name in candidates)
        found = next((at for at in places if at is not None and 0 <= at < len(cells)), None)
        if found is not None:
            columns[meaning] = found
    return columns


def _plain(name: str) -> str:
    """A header name without what senders vary: case, blanks, underscores, hyphens."""
    return "".join(character for character in name.casefold() if character not in " \t_-\ufeff\xa0")


def _missing(line: int, cells: list[str], columns: dict[str, int], layout: Layout) -> list[Finding]:
    found = []
    for meaning in sorted(layout.required - columns.keys()):
        names = " or ".join(str(name) for name in layout.columns.get(meaning, ()))
        shown = ", ".join(cell.strip() for cell in cells)[:200]
        message = f"There is no column for {meaning} (looked for {names or 'nothing'}); the header found is: {shown}."
        remedy = "Correct the column names in the profile, or ask the sender which layout this is."
        found.append(_finding("flat.column-missing", Severity.ERROR, message, remedy, line=line))
    return found


def _wrong_width(line: int, found: int, expected: int) -> Finding:
    kind = "many" if found > expected else "few"
    return _finding(
        f"flat.cells-{kind}",
        Severity.NOTE if found > expected else Severity.ERROR,
        f"The row has {found} cells; the header has {expected}.",
        "Look for a delimiter inside a value, or a line that was cut.",
        line=line,
        column=min(found, expected) + 1,
    )


def _taken(oddities: list[Finding]) -> list[Finding]:
    taken = list(oddities)
    oddities.clear()
    return taken


def _finding(code: str, severity: Severity, message: str, remedy: str, *, line: int | None = None, column: int | None = None) -> Finding:
    return Finding(code=code, severity=severity, scope=Scope.FILE, message=message, remedy=remedy, line=line, element=column)
