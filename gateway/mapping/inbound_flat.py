"""Receipts out of flat files: delimited, fixed width, spreadsheet; one receipt per number and RA, or as the profile groups rows (R-084).

The readers give rows of values by meaning; what they mean is the same for all three. A fault names line and column. A trailer that is missing or does not
add up stops the file: it was cut on its way, and half of it must not be applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway.domain.documents import Receipt, ReceiptLine
from gateway.domain.items import Catalogue
from gateway.edi import fixedwidth, flatfile, spreadsheet
from gateway.edi.flatfile import Row
from gateway.edi.syntax import Finding, Scope, Severity
from gateway.mapping.inbound_parts import ReadReceipt, ReceiptFault, line_of, whole_number
from gateway.mapping.profile_parts import ReadCsvReceipt, ReadFlat, ReadXlsxReceipt
from gateway.mapping.profiles import Profile

EXCEL_DAY_ONE = date(1899, 12, 30)  # serials of the 1900 system, with Lotus' leap day
TOO_FEW = "flat.cells-few"  # a row that was cut spoils its receipt; where it lacks what says which that is, the file
PARTS = {"csv": "receive.csv_receipt", "fixed": "receive.fixed_receipt", "xlsx": "receive.xlsx_receipt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """What a flat file comes to: its receipts, what stops it as a whole, what is only told, and its rows by line for a file of the bad ones."""

    receipts: list[ReadReceipt]
    faults: list[Finding]
    notes: list[Finding]
    rows: dict[int, Row]


@dataclass(slots=True)
class _Gathered:
    """Rows of lines in groups, and what else was read."""

    groups: dict[tuple[str, ...], list[Row]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)
    trailer: Row | None = None
    records: int = 0
    short: dict[int, Finding] = field(default_factory=dict)


def layout_of(rules: ReadCsvReceipt) -> flatfile.Layout:
    """How the rows of a delimited file are found."""
    return flatfile.Layout(
        columns=rules.columns,
        required=frozenset(rules.needed),
        delimiter=rules.delimiter,
        quote=rules.quote,
        encoding=rules.encoding,
        has_header=rules.header,
        record_column=rules.record_column or 0,
        records=rules.records,
        header_columns=rules.header_columns,
        trailer_columns=rules.trailer_columns,
    )


def read_csv(chunks: Iterable[bytes], *, profile: Profile, catalogue: Catalogue, today: date) -> ReadFile:
    """Receipts from a delimited file."""
    rules = profile.receive.csv_receipt or ReadCsvReceipt()
    return _read("csv", flatfile.read_rows(chunks, layout_of(rules)), rules, profile=profile, catalogue=catalogue, today=today)


def read_xlsx(chunks: Iterable[bytes], *, profile: Profile, catalogue: Catalogue, today: date) -> ReadFile:
    """Receipts from a spreadsheet."""
    rules = profile.receive.xlsx_receipt or ReadXlsxReceipt()
    layout = flatfile.Layout(columns=rules.columns, required=frozenset(rules.needed))
    rows = spreadsheet.read_rows(chunks, layout, sheet=rules.sheet, header_within=rules.header_within)
    return _read("xlsx", rows, rules, profile=profile, catalogue=catalogue, today=today)


def read_fixed(chunks: Iterable[bytes], *, profile: Profile, catalogue: Catalogue, today: date) -> ReadFile:
    """Receipts from a file of fixed width."""
    rules = profile.receive.fixed_receipt
    if rules is None:
        return ReadFile(receipts=[], faults=[], notes=[], rows={})
    rows = fixedwidth.read_rows(chunks, fixedwidth.layout_of(rules.layout.model_dump()))
    return _read("fixed", rows, rules, profile=profile, catalogue=catalogue, today=today)


def _read(kind: str, rows: Iterator[Row | Finding], rules: Any, *, profile: Profile, catalogue: Catalogue, today: date) -> ReadFile:
    gathered = _gather(rows, rules)
    faults = [finding for finding in gathered.findings if finding.severity == Severity.ERROR]
    faults = faults or _trailer_faults(gathered, rules, kind)
    reader = _Reader(rules, PARTS[kind], profile.partner, catalogue, today)
    return ReadFile(
        receipts=[] if faults else [reader.receipt(group, gathered.short) for group in gathered.groups.values()],
        faults=faults,
        notes=[finding for finding in gathered.findings if finding.severity != Severity.ERROR],
        rows=gathered.rows,
    )


def _gather(rows: Iterator[Row | Finding], rules: ReadFlat) -> _Gathered:
    gathered = _Gathered()
    above: dict[str, str] = {}
    for found in rows:
        if isinstance(found, Finding):
            if found.code == TOO_FEW and found.line:
                gathered.short[found.line] = found
            else:
                gathered.findings.append(found)
            continue
        gathered.rows[found.line] = found
        gathered.records += found.record in ("header", "line")
        if found.record == "trailer":
            gathered.trailer = found
        elif found.record == "line":
            row = _carried(found, above, rules.carry_down)
            above = row.values
            key = tuple(row.values.get(meaning, "") for meaning in rules.group_by)
            gathered.groups.setdefault(key, []).append(row)
    gathered.findings += [finding for line, finding in gathered.short.items() if line not in gathered.rows]
    return gathered


def _carried(row: Row, above: Mapping[str, str], meanings: Sequence[str]) -> Row:
    """The row with what stands only in the first row of its group."""
    absent = {meaning: above[meaning] for meaning in meanings if not row.values.get(meaning) and above.get(meaning)}
    return Row(row.line, row.values | absent, row.places, row.cells, row.record, row.head) if absent else row


def _trailer_faults(gathered: _Gathered, rules: Any, kind: str) -> list[Finding]:
    """What the trailer says against the rows (flat-files section 2); one that is missing means a cut-off upload."""
    has_trailer = bool(rules.layout.trailer) if kind == "fixed" else "trailer" in getattr(rules, "records", {}).values()
    if not has_trailer:
        return []
    if gathered.trailer is None:
        return [_finding("flat.trailer-missing", "The file has no trailer: it was cut off on its way.", "Send the file again, complete.")]
    lines = sum(len(group) for group in gathered.groups.values())
    numbers = [_decimal(_plain_number(row.values.get(rules_quantity(row), ""), rules)) for group in gathered.groups.values() for row in group]
    counted: dict[str, Decimal | int] = {"lines": lines, "records": gathered.records}
    if None not in numbers:  # what is no number is told at its row
        counted["units"] = sum((number for number in numbers if number is not None), Decimal())
    found = []
    for meaning, value in gathered.trailer.values.items():
        if meaning in counted and value and _decimal(_plain_number(value, rules)) != counted[meaning]:
            message = f"The trailer says {value} {meaning}, {counted[meaning]} were read."
            at = gathered.trailer.places.get(meaning)
            found.append(_finding("flat.trailer", message, "Send the file again, complete.", line=gathered.trailer.line, at=at, value=value))
    return found


def _decimal(text: str) -> Decimal | None:
    """A number for a sum; an empty one is zero."""
    try:
        return Decimal(text or 0)
    except InvalidOperation:
        return None


def rules_quantity(row: Row) -> str:
    """The column that a trailer's sum is of."""
    return "quantity" if "quantity" in row.values else "good"


def _finding(code: str, message: str, remedy: str, *, line: int | None = None, at: int | None = None, value: str | None = None) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, scope=Scope.FILE, message=message, remedy=remedy, line=line, element=at, value=value)


def _plain_number(text: str, rules: ReadFlat) -> str:
    """A number as `whole_number` reads it: without thousands' marks, with a point."""
    plain = text.strip()
    if rules.thousands:
        plain = plain.replace(rules.thousands, "")
    return plain.replace(",", ".") if rules.decimal == "," else plain


@dataclass(frozen=True, slots=True)
class _Reader:
    """Rows to receipts by the rules of one profile; `part` is where these stand in it."""

    rules: ReadFlat
    part: str
    partner: str
    catalogue: Catalogue
    today: date

    def receipt(self, rows: Sequence[Row], short: Mapping[int, Finding]) -> ReadReceipt:
        position = f"line {rows[0].line}"
        numbers = tuple(row.line for row in rows)
        cut = tuple(short[number] for number in numbers if number in short)
        if cut:
            return ReadReceipt(receipt=None, faults=cut, position=position, lines=numbers)
        try:
            receipt = self._receipt(rows, position)
        except ReceiptFault as fault:
            return ReadReceipt(receipt=None, faults=(fault.finding,), position=position, lines=numbers)
        return ReadReceipt(receipt=receipt, position=position, lines=numbers)

    def _receipt(self, rows: Sequence[Row], position: str) -> Receipt:
        first = rows[0].values
        ra = _one(rows, "ra")
        for meaning, what in (("ra", "RA numbers"), ("receipt_number", "receipt numbers")):
            _check_one(rows, meaning, what)
        received_on = self._date(rows[0])
        number = _one(rows, "receipt_number")
        if not number and self.rules.numbered_as:
            number = self.rules.numbered_as.format(ra=ra, received_on=f"{received_on:%Y%m%d}")
        if not number:
            raise _fault("receipt.number", "the row has no receipt number", "fill the column receipt_number", rows[0], "receipt_number")
        return Receipt(
            partner=self.partner,
            receipt_no=number,
            ra_reference=ra,
            received_on=received_on,
            lines=tuple(self._line(row) for row in rows),
            final=any(row.values.get("final", "").strip().upper() in self.rules.final_values for row in rows),
            warehouse=self.rules.warehouses.get(first.get("warehouse", ""), ""),
            tracking_numbers=tuple(dict.fromkeys(row.values["tracking"] for row in rows if row.values.get("tracking"))),
            order_reference=first.get("order", ""),
            references=(ra,) if ra else (),
            position=position,
        )

    def _line(self, row: Row) -> ReceiptLine:
        stated = [text for text in (row.values.get("sku", ""), row.values.get("upc", "")) if text]
        if not stated:
            raise _fault("receipt.item", "the row names no item", "fill the column sku or upc", row, "sku" if "sku" in row.places else "upc")
        if any("E+" in text.upper() and text[0].isdigit() for text in stated):
            message = f"the item {stated[0]!r} was destroyed by a spreadsheet"
            raise _fault("receipt.item", message, "export the column as text and send it again", row, "upc" if "upc" in row.places else "sku")
        counts, condition = self._counts(row)
        line = line_of(stated, counts, partner=self.partner, catalogue=self.catalogue, condition=condition, position=f"line {row.line}")
        line = _with_note(line, row.values.get("note", ""))
        photos = tuple(re.split(r"[\s|;]+", row.values.get("photos", "").strip())) if row.values.get("photos", "").strip() else ()
        return replace(line, grade=row.values.get("grade", ""), disposition=row.values.get("disposition", ""), photos=photos)

    def _counts(self, row: Row) -> tuple[dict[str, int], str]:
        """Units by meaning: of the row's condition, or of its columns."""
        if "condition" in row.values:
            return self._by_condition(row)
        second = self._quantity(row, "second")
        received = self._quantity(row, "quantity" if "quantity" in row.values else "good")
        if "quantity" in row.values and "second" in row.values and self.rules.damaged_quantity == "included":
            if second > received:
                message = f"{second} units are reported damaged, but only {received} received, and {self.partner}'s received quantity includes the damaged ones"
                raise _fault(
                    "receipt.more-damaged-than-received", message, "correct the quantities, or damaged_quantity in the profile", row, "second"
                )
            received -= second
        counts = {"good": received, "second": second, "short": self._quantity(row, "missing")}
        return counts, "damaged" if second else ""

    def _by_condition(self, row: Row) -> tuple[dict[str, int], str]:
        code = row.values["condition"].strip().upper()
        meaning = {key.upper(): value for key, value in self.rules.conditions.items()}.get(code)
        if meaning is None:
            message = f"the condition {code!r} has no meaning in {self.partner}'s profile ({', '.join(self.rules.conditions)} do)"
            remedy = f'ask the partner, add {code or "WORD"} = "good|second|short|ignore" under [{self.part}.conditions], and replay'
            raise _fault("receipt.condition", message, remedy, row, "condition")
        quantity = self._quantity(row, "quantity" if "quantity" in row.values else "good")
        return {meaning: quantity}, code.lower() if meaning == "second" else ""

    def _quantity(self, row: Row, meaning: str) -> int:
        if meaning not in row.values:
            return 0
        text = row.values[meaning].strip()
        if not text and meaning in ("second", "missing"):
            return 0
        number = whole_number(_plain_number(text, self.rules))
        if number is None or number < 0:
            message = (
                f"the quantity {text!r} is not a whole number of units"
                if text
                else "the quantity is empty (or an error, or a formula without a value)"
            )
            raise _fault("receipt.quantity", message, "correct it and drop the file again", row, meaning)
        return number

    def _date(self, row: Row) -> date:
        text = row.values.get("received_on", "").strip()
        if not text:
            return self.today
        found = _day(text, self.rules.date_format)
        if found is None:
            message = f"the date {text!r} is not in the format {self.rules.date_format}"
            raise _fault("receipt.date", message, "correct it, or date_format", row, "received_on")
        return found


def _check_one(rows: Sequence[Row], meaning: str, what: str) -> None:
    """Rows grouped to one receipt have one RA and one number."""
    first = _one(rows, meaning)
    for row in rows:
        if row.values.get(meaning) not in (None, "", first):
            message = f"the rows of one receipt have two {what}, {first} and {row.values[meaning]}"
            raise _fault("receipt.two-in-one", message, "send them apart, or change group_by in the profile", row, meaning)


def _one(rows: Sequence[Row], meaning: str) -> str:
    """The first value of a meaning in the rows of a receipt."""
    return next((row.values[meaning] for row in rows if row.values.get(meaning)), "")


def _day(text: str, date_format: str) -> date | None:
    try:
        if date_format == "iso":
            return datetime.fromisoformat(text.replace("Z", "+00:00")).date()
        if date_format == "excel":
            return EXCEL_DAY_ONE + timedelta(days=int(float(text))) if text[:5].replace(".", "").isdigit() else datetime.fromisoformat(text).date()
        if date_format == "unix":
            return datetime.fromtimestamp(float(text), UTC).date()
        return datetime.strptime(text, date_format).date()  # noqa: DTZ007 - a date has no zone
    except (ValueError, OverflowError, OSError):
        return None


def _with_note(line: ReceiptLine, note: str) -> ReceiptLine:
    return replace(line, note=note) if note else line


def _fault(code: str, message: str, remedy: str, row: Row, meaning: str) -> ReceiptFault:
    value = row.values.get(meaning)
    return ReceiptFault(
        Finding(
            code=code,
            severity=Severity.ERROR,
            scope=Scope.SET,
            message=message,
            remedy=remedy,
            line=row.line,
            element=row.places.get(meaning),
            value=value,
        )
    )
