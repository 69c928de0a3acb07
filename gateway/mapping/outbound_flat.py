"""RAs as a flat file: delimited, fixed width or spreadsheet, all made of the rows that one CSV template renders.

The template names the columns in its first line and writes one line per RA line. Whatever is written is read back by our own reader, and each RA's
number and units are compared, before anyone commits it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.documents import Authorization
from gateway.edi import fixedwidth, flatfile, spreadsheet
from gateway.edi.syntax import Finding
from gateway.mapping import outbound
from gateway.mapping.outbound import Controls, UnsendableError
from gateway.mapping.profiles import Profile

LINE_ENDS = {"crlf": "\r\n", "lf": "\n"}
QUANTITY, RA_NUMBER = ("quantity", "qty"), ("ra_number", "ra")


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows of one RA under the template's column names."""

    ra: Authorization
    header: list[str]
    rows: list[list[str]]


def to_flat(ras: Sequence[Authorization], *, profile: Profile, template: str, controls: Controls | None, purpose: str, at: datetime) -> bytes:
    """RAs as one flat file with one header, checked by reading it back."""
    del controls  # a flat file has none
    tables = [_table(ra, profile=profile, template=template, purpose=purpose, at=at) for ra in ras]
    outbound.check_lengths(ras, profile=profile)
    try:
        content = WRITERS[profile.send.document](tables, profile)
    except (fixedwidth.UnwritableField, UnicodeEncodeError, LookupError) as fault:
        raise UnsendableError(f"{ras[0].ra}: {fault}; correct the profile of {profile.partner} or the item's data") from fault
    units = READERS[profile.send.document](content, profile, tables[0].header)
    for ra in ras:
        if units.get(ra.ra) != ra.units:
            raise UnsendableError(
                f"{ra.ra}: read back, the file has {units.get(ra.ra, 'no')} units of it instead of {ra.units}; correct templates/{profile.send.template}"
            )
    return content


def _table(ra: Authorization, *, profile: Profile, template: str, purpose: str, at: datetime) -> _Table:
    text = outbound.render(template, ra, profile=profile, purpose=purpose, at=at, finalize=lambda value: _cell(value, profile))
    read = list(csv.reader(io.StringIO(text)))
    header, rows = read[0] if read else [], read[1:]
    if any(len(row) != len(header) for row in rows) or not {*QUANTITY} & {*header} or not {*RA_NUMBER} & {*header}:
        raise UnsendableError(
            f"{ra.ra}: templates/{profile.send.template} must print a header with ra_number and quantity, and rows of {len(header)} cells under it"
        )
    return _Table(ra, header, rows)


def _cell(value: Any, profile: Profile) -> str:
    """A value as one cell of the template's CSV, always quoted; line ends and control characters are blanks."""
    text = "" if value is None else str(value)
    cleaned = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if profile.send.forbidden == "refuse" and cleaned != text:
        raise UnsendableError(f"the value {text!r} holds a line end or control character that {profile.partner} must not get replaced")
    return '"' + cleaned.replace('"', '""') + '"'


def _write_csv(tables: Sequence[_Table], profile: Profile) -> bytes:
    part = profile.send.csv
    rows = (row for table in tables for row in table.rows)
    header = tables[0].header if part.header else None
    text = flatfile.write_rows(header, rows, delimiter=part.delimiter, line_end=LINE_ENDS[part.line_end], quote_all=part.quote_all)
    return text.decode("utf-8").encode(part.encoding)


def _write_xlsx(tables: Sequence[_Table], profile: Profile) -> bytes:
    return spreadsheet.write_sheet(tables[0].header, [row for table in tables for row in table.rows], sheet=profile.send.xlsx.sheet)


def _write_fixed(tables: Sequence[_Table], profile: Profile) -> bytes:
    layout = _layout(profile)
    lines = []
    for table in tables:
        rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
        if layout.header:
            lines.append(fixedwidth.write_line(layout, "header", rows[0]))
        lines += [fixedwidth.write_line(layout, "line", row) for row in rows]
    if layout.trailer:
        count = sum(len(table.rows) for table in tables)
        totals = {"lines": str(count), "records": str(len(lines)), "units": str(sum(table.ra.units for table in tables))}
        lines.append(fixedwidth.write_line(layout, "trailer", totals))
    end = LINE_ENDS[profile.send.fixed.line_end if profile.send.fixed else "crlf"]
    return (end.join(lines) + end).encode(layout.encoding)


def _layout(profile: Profile) -> fixedwidth.Layout:
    if profile.send.fixed is None:
        raise UnsendableError(f"{profile.partner}: a document of fixed width needs [send.fixed]")
    return fixedwidth.layout_of(profile.send.fixed.model_dump())


def _read_csv(content: bytes, profile: Profile, header: list[str]) -> dict[str, int]:
    part = profile.send.csv
    columns = {name: (at,) for at, name in enumerate(header, 1)}
    layout = flatfile.Layout(columns=columns, delimiter=part.delimiter, encoding=part.encoding, has_header=part.header)
    return _units(flatfile.read_rows([content], layout))


def _read_xlsx(content: bytes, profile: Profile, header: list[str]) -> dict[str, int]:
    layout = flatfile.Layout(columns={name: (name,) for name in header}, required=frozenset(header))
    return _units(spreadsheet.read_rows([content], layout, sheet=profile.send.xlsx.sheet))


def _read_fixed(content: bytes, profile: Profile, header: list[str]) -> dict[str, int]:
    del header
    return _units(fixedwidth.read_rows([content], _layout(profile)))


def _units(read: Any) -> dict[str, int]:
    """Units by RA number, as our own reader reads them."""
    units: dict[str, int] = {}
    for found in read:
        if isinstance(found, Finding):
            raise UnsendableError(f"read back, the file has a fault: {found.where()}: {found.message}")
        if found.record == "line":
            ra = next((found.values[name] for name in RA_NUMBER if name in found.values), "")
            text = next((found.values[name] for name in QUANTITY if name in found.values), "")
            units[ra] = units.get(ra, 0) + int(float(text or 0))
    return units


WRITERS = {"csv": _write_csv, "xlsx": _write_xlsx, "fixed": _write_fixed}
READERS = {"csv": _read_csv, "xlsx": _read_xlsx, "fixed": _read_fixed}
