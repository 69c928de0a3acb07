"""A flat file receipt by receipt: good ones applied, the rows of bad ones kept under the header, ready to correct."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from gateway.edi import flatfile, spreadsheet
from gateway.jobs import receipts
from gateway.jobs.context import Context
from gateway.jobs.reading import Problem, Reading
from gateway.mapping import readers
from gateway.mapping.inbound_flat import ReadFile
from gateway.mapping.profiles import Profile


def read(ctx: Context, connection: Connection, reading: Reading, chunks: Iterable[bytes], kind: str) -> None:
    """Apply what a flat file says."""
    today = ctx.local(ctx.now()).date()
    found = readers.FLAT[kind](chunks, profile=reading.profile, catalogue=ctx.places.catalogue, today=today)
    reading.problems.extend([Problem.of(finding, "The whole file") for finding in found.faults])
    reading.remarks.extend([finding.message for finding in found.notes])
    if found.faults:
        return
    bad: set[int] = set()
    for one in found.receipts:
        if one.receipt is None:
            reading.problems.extend([Problem.of(fault, f"receipt at {one.position}") for fault in one.faults])
            bad.update(one.lines)
        else:
            receipts.take_receipt(ctx, connection, reading, one.receipt)
    receipts.record_pending(ctx, connection, reading)
    if not found.receipts:
        reading.remarks.append("the file has no rows: nothing returned")
        reading.applied += 1
    reading.rest = _rest(found, bad, kind, reading.profile)


def _rest(found: ReadFile, bad: set[int], kind: str, profile: Profile) -> bytes | None:
    """The rows of the receipts that were not applied, as sent, under their header."""
    if not bad:
        return None
    if kind == "fixed":
        return _rest_fixed(found, bad, profile)
    rows = [row for line, row in sorted(found.rows.items()) if line in bad]
    if kind == "xlsx":
        return spreadsheet.write_sheet(rows[0].head, [row.cells for row in rows])
    rules = profile.receive.csv_receipt
    delimiter = (rules.delimiter if rules else ",") or ","
    if rules and rules.records:
        return flatfile.write_rows(None, [found.rows[line].cells for line in _with_headers(found, bad)], delimiter=delimiter)
    return flatfile.write_rows(rows[0].head or None, [row.cells for row in rows], delimiter=delimiter)


def _with_headers(found: ReadFile, bad: set[int]) -> list[int]:
    """The lines that are bad, each with the header record it stands under."""
    kept: list[int] = []
    header: int | None = None
    for line, row in sorted(found.rows.items()):
        if row.record == "header":
            header = line
        elif line in bad:
            kept += [header] if header is not None and header not in kept else []
            kept.append(line)
    return kept


def _rest_fixed(found: ReadFile, bad: set[int], profile: Profile) -> bytes:
    layout = profile.receive.fixed_receipt.layout if profile.receive.fixed_receipt else None
    lines = [found.rows[line].cells[0] for line in _with_headers(found, bad)]
    return ("\r\n".join(lines) + "\r\n").encode(layout.encoding if layout else "utf-8", "replace")
