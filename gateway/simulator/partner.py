"""A simulated warehouse on the other side of the folders.

It takes complete files from our outbox, answers each X12 interchange with a 997, and sends a receipt for each RA as its script
says; without a script everything comes as announced and good. It reads with a splitter of its own, a second opinion on what
we wrote, never answers a 997, and never answers the same RA twice.
"""

import csv
import io
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from gateway.simulator.partner_files import (
    Acknowledged,
    Envelope,
    Line,
    Receipt,
    as_line,
    make_944,
    make_944_file,
    make_997,
    make_csv_receipt,
)

__all__ = [
    "Acknowledged",
    "Announcement",
    "Envelope",
    "Line",
    "Partner",
    "PartnerRules",
    "Receipt",
    "Taken",
    "make_944",
    "make_944_file",
    "make_997",
    "make_csv_receipt",
    "put",
    "read_csv",
    "read_x12",
]

UNFINISHED = re.compile(r"^\.|\.(tmp|part|partial|filepart)$", re.IGNORECASE)
CANCEL, CHANGE, REPLACE = "01", "04", "05"
FIRST_RMA = 77_000_000


class Clock(Protocol):
    def now(self) -> datetime: ...


@dataclass(frozen=True)
class Announcement:
    """What one 856, or the rows of one RA in a CSV, announce."""

    ra: str
    purpose: str
    lines: tuple[Line, ...]
    tracking: tuple[str, ...] = ()
    control: str = ""
    warehouse: str = ""


@dataclass(frozen=True)
class Group:
    """A functional group as found in a file."""

    kind: str
    number: str
    sets: tuple[tuple[str, str, list[list[str]]], ...]


@dataclass(frozen=True)
class Taken:
    """A file the partner took: its name, its bytes, and the RAs in it."""

    name: str
    data: bytes
    ras: tuple[str, ...]


@dataclass
class PartnerRules:
    """How the partner behaves: what it acknowledges and rejects, and whether it leaves our files in place."""

    acknowledge: bool = True
    reject_sets: set[int] = field(default_factory=set)
    reject_ras: set[str] = field(default_factory=set)
    leave: bool = False
    answer: bool = True
    envelope: Envelope = field(default_factory=Envelope)
    brief_997: bool = False


Script = Mapping[str, "Receipt | Sequence[Receipt] | None"]


class Partner:
    """A warehouse with its folders: `outbox` is ours (it reads there), `inbox` is ours too (it writes there).

    `script` maps an RA number, or an RMA number, to a receipt, to several receipts, or to None for an RA that is never
    answered.
    """

    def __init__(self, code: str, outbox: Path, inbox: Path, clock: Clock, script: Script | None = None, rules: PartnerRules | None = None) -> None:
        self.code = code
        self.outbox = outbox
        self.inbox = inbox
        self.clock = clock
        self.script: dict[str, Receipt | Sequence[Receipt] | None] = dict(script or {})
        self.rules = rules or PartnerRules()
        self.taken: list[Taken] = []
        self.announced: dict[str, Announcement] = {}
        self.cancelled: list[str] = []
        self.acknowledgements: list[list[list[str]]] = []
        self._seen: set[str] = set()
        self._waiting: list[tuple[datetime, str, Receipt, bool]] = []
        self._numbers: Iterator[int] = iter(range(1, 1_000_000_000))
        self._lock = threading.RLock()

    def step(self) -> list[str]:
        """Take what is there, answer it, and send what is due; returns what was done, one sentence each."""
        with self._lock:
            done = [text for path in self._ready() for text in self._pick_up(path)]
            return done + self._send_due()

    def send(self, name: str, data: bytes) -> Path:
        """Put a file of one's own into our inbox."""
        return put(self.inbox, name, data)

    def _ready(self) -> list[Path]:
        if not self.outbox.is_dir():
            return []
        names = sorted(entry.name for entry in os.scandir(self.outbox) if entry.is_file())
        return [self.outbox / name for name in names if not UNFINISHED.search(name) and name not in self._seen]

    def _pick_up(self, path: Path) -> list[str]:
        data = path.read_bytes()
        if not complete(data):
            return []
        done = self._read(path.name, data)
        if self.rules.leave:
            self._seen.add(path.name)
        else:
            path.unlink()
        return done

    def _read(self, name: str, data: bytes) -> list[str]:
        if not data.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"ISA"):
            announcements = read_csv(data)
            self.taken.append(Taken(name, data, tuple(one.ra for one in announcements)))
            return [f"took {name}", *(text for one in announcements for text in self._take(one, as_csv=True))]
        done, ras = [f"took {name}"], []
        for group in read_x12(data):
            if group.kind == "FA":
                self.acknowledgements += [segments for _, _, segments in group.sets]
                done.append(f"read acknowledgement in {name}")
                continue
            rejected = self._rejected(group)
            done += self._acknowledge(group, rejected)
            for place, (_, control, segments) in enumerate(group.sets, 1):
                found = announcement(segments, control)
                ras.append(found.ra)
                if place not in rejected:
                    done += self._take(found, as_csv=False)
        self.taken.append(Taken(name, data, tuple(ras)))
        return done

    def _rejected(self, group: Group) -> set[int]:
        ras = {place: announcement(segments, "").ra for place, (_, _, segments) in enumerate(group.sets, 1)}
        return {place for place, ra in ras.items() if place in self.rules.reject_sets or ra in self.rules.reject_ras}

    def _acknowledge(self, group: Group, rejected: set[int]) -> list[str]:
        if not self.rules.acknowledge:
            return []
        sets = tuple((kind, control, "R:5" if place in rejected else "A") for place, (kind, control, _) in enumerate(group.sets, 1))
        envelope = self._envelope()
        data = make_997(Acknowledged(group.kind, group.number, sets, brief=self.rules.brief_997 and not rejected), envelope)
        path = self.send(self._name("997", envelope.number, "edi"), data)
        return [f"acknowledged group {group.number} in {path.name}"]

    def _take(self, found: Announcement, *, as_csv: bool) -> list[str]:
        """Note an announcement; plan its receipts unless it cancels or repeats one."""
        if found.purpose == CANCEL:
            self.cancelled.append(found.ra)
            self._waiting = [entry for entry in self._waiting if entry[1] != found.ra]
            return [f"cancelled {found.ra}"]
        known = found.ra in self.announced
        self.announced[found.ra] = found
        if known or not self.rules.answer:
            return [f"noted {found.ra}"]
        for receipt in self._receipts(found.ra):
            self._waiting.append((self.clock.now() + timedelta(days=receipt.days), found.ra, receipt, as_csv))
        return [f"noted {found.ra}"]

    def _receipts(self, ra: str) -> Iterable[Receipt]:
        for key in (ra, *re.findall(r"\d{6,}", ra)):
            if key in self.script:
                wanted = self.script[key]
                return [] if wanted is None else [wanted] if isinstance(wanted, Receipt) else wanted
        return [Receipt(final=True)]

    def _send_due(self) -> list[str]:
        now, done = self.clock.now(), []
        for entry in [entry for entry in self._waiting if entry[0] <= now]:
            self._waiting.remove(entry)
            _, ra, receipt, as_csv = entry
            path = self._write(ra, receipt, as_csv)
            done.append(f"received {ra} in {path.name}")
        return done

    def _write(self, ra: str, receipt: Receipt, as_csv: bool) -> Path:
        known = self.announced[ra]
        asked = known.lines if receipt.lines is None else tuple(map(as_line, receipt.lines))
        lines = [_completed(line, known) for line in asked]
        number = receipt.receipt_no or _receipt_number(ra)
        envelope = self._envelope()
        if as_csv:
            data = make_csv_receipt(ra, lines, receipt_no=number, received_at=envelope.at, final=receipt.final)
            return self.send(self._name("receipt", envelope.number, "csv"), data)
        announced = sum(line.good for line in known.lines)
        count = receipt.announced if receipt.announced is not None else announced
        whole = replace(receipt, lines=lines, receipt_no=number, announced=count, warehouse=receipt.warehouse or known.warehouse)
        return self.send(self._name("944", envelope.number, "edi"), make_944_file([(ra, whole)], envelope))

    def _envelope(self) -> Envelope:
        return replace(self.rules.envelope, number=next(self._numbers), at=self.clock.now())

    def _name(self, kind: str, number: int, suffix: str) -> str:
        return f"{self.code}_{kind}_{number:06d}.{suffix}"


def put(folder: Path, name: str, data: bytes) -> Path:
    """Write a file under a temporary name in the same folder, then rename it."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.tmp"
    temporary.write_bytes(data)
    temporary.replace(folder / name)
    return folder / name


def complete(data: bytes) -> bool:
    """Whether a file is whole: an interchange has its IEA, anything else is taken as it is unless it is empty."""
    text = data.lstrip(b"\xef\xbb\xbf \r\n")
    if not text.startswith(b"ISA"):
        return bool(text)
    if len(text) < 106:
        return False
    tail = text.rstrip(b"\r\n").rsplit(text[105:106], 2) if text[105:106] not in b"\r\n" else text.rstrip().splitlines()
    return any(part.lstrip(b"\r\n").startswith(b"IEA") for part in tail[-2:])


def read_x12(data: bytes) -> list[Group]:
    """The functional groups of a file; separators come from its own ISA."""
    text = data.decode("latin-1").lstrip("\xef\xbb\xbf \r\n")
    element, terminator = text[3], text[105]
    groups: list[Group] = []
    sets: list[tuple[str, str, list[list[str]]]] = []
    head: list[str] = []
    for raw in text.split(terminator):
        segment = raw.strip("\r\n").split(element)
        if segment[0] == "GS":
            head, sets = segment, []
        elif segment[0] == "ST":
            sets.append((segment[1], segment[2], []))
        elif segment[0] == "GE":
            groups.append(Group(head[1], head[6], tuple(sets)))
        if sets and segment[0] not in ("GE", "IEA", ""):
            sets[-1][2].append(segment)
    return groups


def announcement(segments: list[list[str]], control: str) -> Announcement:
    """The RA, purpose, lines and tracking numbers of one 856."""
    ra, purpose, warehouse, tracking, lines = "", "", "", [], list[Line]()
    for segment in segments:
        part = [*segment, *[""] * 8]
        if part[0] == "BSN":
            purpose, ra = part[1], part[2]
        elif part[0] == "N1" and part[1] == "ST":
            warehouse = part[4] or part[2]
        elif part[0] in ("REF", "MAN") and part[1] in ("2I", "CP", "CN"):
            tracking.append(part[2])
        elif part[0] == "LIN":
            lines.append(_announced_line(part, len(lines) + 1))
        elif part[0] == "SN1" and lines:
            lines[-1] = replace(lines[-1], good=int(float(part[2])))
    return Announcement(ra, purpose, tuple(lines), tuple(tracking), control, warehouse)


def read_csv(data: bytes) -> list[Announcement]:
    """The announcements of a CSV file, one per RA; rows of one RA stand together or apart."""
    table = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    header = [name.strip().lower() for name in next(table, [])]
    rows = [dict(zip(header, row, strict=False)) for row in table if row]
    found: dict[str, Announcement] = {}
    for row in rows:
        ra = row["ra_number"]
        purpose = CANCEL if _cancels(row) else "00"
        known = found.get(ra, Announcement(ra, purpose, (), warehouse=row.get("warehouse") or ""))
        number = int(row.get("line_no") or len(known.lines) + 1)
        line = Line(row.get("sku") or "", int(row.get("quantity") or 0), upc=row.get("upc") or "", number=number)
        extra = (row["tracking_number"],) if row.get("tracking_number") else ()
        tracking = tuple(dict.fromkeys([*known.tracking, *extra]))
        found[ra] = replace(known, lines=(*known.lines, line), tracking=tracking)
    return list(found.values())


def _cancels(row: Mapping[str, str]) -> bool:
    return any(row.get(name, "").lower().startswith("cancel") for name in ("action", "purpose", "status"))


def _announced_line(part: list[str], place: int) -> Line:
    pairs = dict(zip(part[2::2], part[3::2], strict=False))
    sku = next((pairs[kind] for kind in ("SK", "VN", "IN") if pairs.get(kind)), "")
    upc = next((pairs[kind] for kind in ("UP", "EN", "UK", "UI") if pairs.get(kind)), "")
    return Line(sku, 0, upc=upc, number=int(part[1]) if part[1].isdigit() else place)


def _completed(line: Line, known: Announcement) -> Line:
    """A line of the script with the barcode and line number of the announced item."""
    same = next((one for one in known.lines if one.sku == line.sku), None)
    if same is None:
        return line
    return replace(line, upc=line.upc or same.upc, number=line.number if line.number is not None else same.number)


def _receipt_number(ra: str) -> str:
    """The receipt number when the script gives none: WR5501 for RA77000001, and so on."""
    found = re.search(r"\d{6,}", ra)
    number = int(found[0]) if found else sum(ra.encode())
    tail = ra[found.end() :] if found else ""
    return f"WR{5500 + number - FIRST_RMA if number >= FIRST_RMA else number}{tail}"[:12]
