"""The files a simulated warehouse writes: 944 receipts, 997 acknowledgements, CSV receipts.

Written without the gateway's own EDI code, so that a misreading of the standard on one side is not repeated on the other. The
defaults are a clean 004010 file; every option is a way in which real files differ or are damaged.
Source: X12 004010 sets 944 and 997 (segments W17, W07, W13, W14 and AK1 to AK9).
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

CSV_HEADER = (
    "receipt_number,ra_number,received_at,line_no,sku,upc,quantity,uom,condition,disposition,final,note".split(",")  # noqa: SIM905  # as in the file
)
DAMAGED, SHORT = "01", "02"


@dataclass(frozen=True)
class Line:
    """What was found of one item: good units, units of second quality, and units said to be missing.

    `quantity` overrides the text of W07-01, for damaged files. `damage` is the 412 code of the second-quality units.
    """

    sku: str
    good: int = 1
    second: int = 0
    short: int = 0
    upc: str = ""
    number: int | None = None
    damage: str = DAMAGED
    unit: str = "EA"
    qualifier: str = "SK"
    description: str = ""
    quantity: str | None = None


LineLike = Line | Sequence[object]


@dataclass(frozen=True)
class Receipt:
    """One receipt of one RA, as a warehouse finds it.

    `lines` None means everything as announced, good. `days` is how long the warehouse takes. `split` writes good and second
    units as lines of their own; `on_top` writes second units outside W07-01.
    """

    lines: Sequence[LineLike] | None = None
    receipt_no: str | None = None
    final: bool = False
    days: float = 0.0
    tracking: str = ""
    order_name: str = ""
    warehouse: str = ""
    received_on: datetime | None = None
    on_top: bool = False
    split: bool = False
    total: int | str | None = None
    announced: int | None = None
    segment_count: int | None = None
    code: str = "C"
    reference: str = "RZ"
    notes: Sequence[str] = ()
    extra: Sequence[str] = ()


@dataclass(frozen=True)
class Envelope:
    """Who sends to whom, under which numbers and with which separators; the last fields damage it."""

    sender: str = "ATLAS3PL"
    receiver: str = "HARBORPINE"
    number: int = 1
    at: datetime = datetime(2026, 11, 23, 16, 12, tzinfo=UTC)
    group_number: int | None = None
    set_number: int = 1
    version: str = "004010"
    usage: str = "P"
    qualifier: str = "ZZ"
    element: str = "*"
    component: str = ">"
    terminator: str = "~"
    newline: str = "\n"
    iea_number: int | None = None
    set_count: int | None = None
    prefix: bytes = b""
    suffix: bytes = b""
    encoding: str = "latin-1"


@dataclass(frozen=True)
class Acknowledged:
    """One group to acknowledge: its kind, number, and the sets in it with a result (A, E, R) and codes."""

    kind: str
    number: str
    sets: Sequence[tuple[str, str, str]] = field(default_factory=tuple)
    result: str | None = None
    brief: bool = False


def make_944(
    ra: str,
    lines: Iterable[LineLike],
    *,
    receipt: Receipt | None = None,
    envelope: Envelope | None = None,
    **options: object,
) -> bytes:
    """A file with one 944; `options` are fields of `Receipt` or of `Envelope` by name (`ra` may be blank: a blind receipt)."""
    envelope = envelope or Envelope()
    receipt = replace(receipt or Receipt(), lines=tuple(lines))
    for name, value in options.items():
        if name in Receipt.__dataclass_fields__:
            receipt = replace(receipt, **{name: value})  # type: ignore[arg-type]  # a field by name
        else:
            envelope = replace(envelope, **{name: value})  # type: ignore[arg-type]  # a field by name
    return make_944_file([(ra, receipt)], envelope)


def make_944_file(receipts: Sequence[tuple[str, Receipt]], envelope: Envelope | None = None) -> bytes:
    """A file with one 944 per (RA number, receipt), all in one group."""
    envelope = envelope or Envelope()
    sets = []
    for place, (ra, receipt) in enumerate(receipts):
        control = f"{envelope.set_number + place:04d}"
        sets.append(_closed(_receipt_segments(ra, receipt, envelope, control), control, receipt.segment_count))
    return _interchange("RE", sets, envelope)


def make_997(groups: Acknowledged | Sequence[Acknowledged], envelope: Envelope | None = None, **options: object) -> bytes:
    """A file with one 997 per acknowledged group; `options` are fields of `Envelope` by name."""
    envelope = replace(envelope or Envelope(), **options)  # type: ignore[arg-type]  # fields by name
    listed = [groups] if isinstance(groups, Acknowledged) else list(groups)
    sets = []
    for place, group in enumerate(listed):
        control = f"{envelope.set_number + place:04d}"
        sets.append(_closed(_acknowledgement_segments(group, control), control, None))
    return _interchange("FA", sets, envelope)


def make_csv_receipt(
    ra: str,
    lines: Iterable[LineLike],
    *,
    receipt_no: str = "WR9001",
    received_at: datetime | None = None,
    final: bool = True,
    delimiter: str = ",",
) -> bytes:
    """A CSV receipt: one row per line and condition, quantities of one line add up."""
    at = received_at or Envelope().at
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(CSV_HEADER)
    for place, line in enumerate(map(as_line, lines), 1):
        for quantity, condition, disposition in _conditions(line):
            number = line.number or place
            count = line.quantity if line.quantity is not None else quantity
            row = [receipt_no, ra, f"{at:%Y-%m-%dT%H:%M:%SZ}", number, line.sku, line.upc, count, line.unit, condition]
            writer.writerow([*row, disposition, "Y" if final else "N", line.description])
    return text.getvalue().encode()


def as_line(line: LineLike) -> Line:
    """A line, given as such or as (sku, good[, second[, short[, upc]]])."""
    if isinstance(line, Line):
        return line
    good, second, short = [*(int(str(part)) for part in line[1:4]), 0, 0, 0][:3] if len(line) > 1 else (1, 0, 0)
    return Line(str(line[0]), good, second, short, upc=str(line[4]) if len(line) > 4 else "")


def _conditions(line: Line) -> list[tuple[int, str, str]]:
    kinds = [(line.good, "GOOD", "RESTOCK"), (line.second, "SECOND", "BGRADE"), (line.short, "MISSING", "")]
    rows = [(0 if condition == "MISSING" else count, condition, what) for count, condition, what in kinds if count]
    return rows or [(0, "MISSING", "")]


def _receipt_segments(ra: str, receipt: Receipt, envelope: Envelope, control: str) -> list[list[str]]:
    day = f"{receipt.received_on or envelope.at:%Y%m%d}"
    lines = [as_line(line) for line in receipt.lines or ()]
    segments = [["ST", "944", control], ["W17", receipt.code, day, receipt.receipt_no or "WR9001", ra, ra]]
    segments += [["N1", "WH", receipt.warehouse, "92", receipt.warehouse]] if receipt.warehouse else []
    references = [(receipt.reference, ra), ("2I", receipt.tracking), ("CO", receipt.order_name)]
    references.append(("ZZ", "FINAL" if receipt.final else ""))
    segments += [["N9", qualifier, value] for qualifier, value in references if value]
    segments += [["G62", "19", day]]
    segments += [["NTE", "WHI", note] for note in receipt.notes]
    counted = 0
    for line in lines:
        came, written = _line_segments(line, receipt)
        counted += came
        segments += written
    segments += [segment.split("*") for segment in receipt.extra]
    total = str(counted if receipt.total is None else receipt.total)
    announced = [] if receipt.announced is None else [str(receipt.announced)]
    return [*segments, ["W14", total, *announced]]


def _line_segments(line: Line, receipt: Receipt) -> tuple[int, list[list[str]]]:
    """The sum that W14 counts for a line, and its segments."""
    if receipt.split and line.second and line.good:
        apart = [replace(line, second=0, short=0), replace(line, good=0)]
        parts = [_line_segments(part, replace(receipt, split=False)) for part in apart]
        return sum(count for count, _ in parts), [segment for _, segments in parts for segment in segments]
    came = line.good + (0 if receipt.on_top else line.second)
    item = [line.qualifier, line.sku] if line.sku else []
    barcode = ["UP", line.upc] if line.upc else []
    segments = [["W07", line.quantity if line.quantity is not None else str(came), line.unit, "", *item, *barcode]]
    segments += [["G69", line.description]] if line.description else []
    segments += [["N9", "LI", str(line.number)]] if line.number is not None else []
    segments += [["W13", str(line.second), line.unit, line.damage]] if line.second else []
    segments += [["W13", str(line.short), line.unit, SHORT]] if line.short else []
    return came, segments


def _acknowledgement_segments(group: Acknowledged, control: str) -> list[list[str]]:
    good = sum(1 for _, _, result in group.sets if not result.startswith("R"))
    result = group.result or ("A" if good == len(group.sets) else "P" if good else "R")
    segments = [["ST", "997", control], ["AK1", group.kind, group.number]]
    for kind, number, outcome in () if group.brief else group.sets:
        code, _, why = outcome.partition(":")
        segments += [["AK2", kind, number], ["AK5", code, *([why] if why else [])]]
    count = str(len(group.sets))
    return [*segments, ["AK9", result, count, count, str(good)]]


def _closed(segments: list[list[str]], control: str, count: int | None) -> list[list[str]]:
    total = len(segments) + 1 if count is None else count
    return [*segments, ["SE", str(total), control]]


def _interchange(kind: str, sets: list[list[list[str]]], envelope: Envelope) -> bytes:
    number = f"{envelope.number:09d}"
    group = str(envelope.group_number if envelope.group_number is not None else envelope.number)
    modern = envelope.version >= "004020"
    envelope_version = f"00{envelope.version[2:5]}" if modern else "00401"
    head = ["ISA", "00", " " * 10, "00", " " * 10, envelope.qualifier, f"{envelope.sender:<15}", envelope.qualifier]
    head += [f"{envelope.receiver:<15}", f"{envelope.at:%y%m%d}", f"{envelope.at:%H%M}", "^" if modern else "U"]
    head += [envelope_version, number, "0", envelope.usage, envelope.component]
    opening = ["GS", kind, envelope.sender, envelope.receiver, f"{envelope.at:%Y%m%d}", f"{envelope.at:%H%M}", group]
    count = len(sets) if envelope.set_count is None else envelope.set_count
    tail = f"{envelope.iea_number:09d}" if envelope.iea_number is not None else number
    segments = [head, [*opening, "X", envelope.version], *(part for one in sets for part in one)]
    segments += [["GE", str(count), group], ["IEA", "1", tail]]
    text = "".join(envelope.element.join(_trim(part)) + envelope.terminator + envelope.newline for part in segments)
    return envelope.prefix + text.encode(envelope.encoding) + envelope.suffix


def _trim(segment: list[str]) -> list[str]:
    """Without empty elements at the end, as X12 wants it."""
    kept = list(segment)
    while len(kept) > 1 and kept[-1] == "":
        kept.pop()
    return kept
