"""What a sample holds that its profile does not use, and what the profile could fill that the sample leaves empty (R-164)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.edi import x12
from gateway.mapping.profiles import Profile

STRUCTURE = {"ST", "SE", "W07", "W13", "W14", "W17"}
QUALIFIED = {"N9", "G62", "N1", "REF", "DTM"}
FILLS = ("receipt", "ra", "received_on", "final", "warehouse")


@dataclass(frozen=True, slots=True)
class Leftovers:
    """`unused`: places of the input nothing is read from. `unfilled`: values of the result no place of the input filled."""

    unused: tuple[str, ...]
    unfilled: tuple[str, ...]


def find(content: bytes, said: Sequence[dict[str, Any]], *, profile: Profile) -> Leftovers:
    """Compare a sample, what was read from it, and the profile."""
    kind = x12.sniff(content[:4096])
    unused = _x12_unused(content, profile) if kind == "x12" else _csv_unused(content, profile)
    receipts = [entry for entry in said if "lines" in entry and "receipt" in entry]
    unfilled = [name for name in FILLS if receipts and not any(entry.get(name) for entry in receipts)]
    unfilled += [f"line.{name}" for name in ("sku", "good", "second", "missing") if receipts and not any(_line_values(receipts, name))]
    return Leftovers(tuple(dict.fromkeys(unused)), tuple(unfilled))


def _line_values(receipts: Sequence[dict[str, Any]], name: str) -> Iterator[Any]:
    return (line.get(name) for entry in receipts for line in entry["lines"])


def _csv_unused(content: bytes, profile: Profile) -> list[str]:
    part = profile.receive.csv_receipt
    if part is None:
        return []
    known = {str(name).lower() for names in part.columns.values() for name in names}
    header = next(csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace")), delimiter=part.delimiter or ","), [])
    return [f"column {name!r}" for name in header if name.strip().lower() not in known]


def _x12_unused(content: bytes, profile: Profile) -> list[str]:
    part = profile.receive.x12_receipt
    if part is None:
        return []
    places = [
        place for group in (part.ra, part.receipt_number, part.received_on, part.tracking, part.order, part.warehouse, part.final) for place in group
    ]
    used = {place.split("=")[0].split("-")[0] for place in places}
    return [key for segment in _segments(content) if (key := _key(segment)) and key not in used and key.split("*")[0] not in used]


def _segments(content: bytes) -> Iterator[list[str]]:
    """The segments of a sample, plainly split; the envelope is left out."""
    element, terminator = content[3:4], content[105:106]
    for segment in content[106:].split(terminator):
        parts = segment.strip().decode("latin-1").split(element.decode("latin-1"))
        if parts[0] and parts[0] not in {"GS", "GE", "IEA", "ISA"} | STRUCTURE:
            yield parts


def _key(parts: Sequence[str]) -> str:
    return f"{parts[0]}*{parts[1]}" if parts[0] in QUALIFIED and len(parts) > 1 else parts[0]
