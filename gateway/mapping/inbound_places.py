"""Where a document states what: the values at the places a profile names, in its order.

X12: `BRA-01` is element 1 of a BRA, `REF*RZ` element 2 of a REF whose first is RZ. EDIFACT: `BGM-2` is element 2 (its first component) of a BGM, `RFF+ALQ` the
value under a qualifier: in RFF and DTM the second component of the first element, in NAD and LOC the second element, in FTX the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.domain.documents import Receipt, ReceiptLine
from gateway.mapping.inbound_parts import fault_at

QUALIFIED = {"RFF": (1, 2), "DTM": (1, 2), "NAD": (2, 1), "LOC": (2, 1), "FTX": (4, 1), "GIN": (2, 1)}


@dataclass(frozen=True, slots=True)
class Stated:
    """The segments of a document, to be asked for places."""

    segments: Sequence[Any]

    def find(self, places: Iterable[str]) -> Iterator[str]:
        """The values at the places, in the profile's order, then in the document's."""
        for place in places:
            for segment in self.segments:
                value = _value(segment, place)
                if value:
                    yield value

    def first(self, places: Iterable[str]) -> str:
        """The first value, or nothing."""
        return next(self.find(places), "")

    def has(self, marks: Iterable[str]) -> bool:
        """Whether a mark like `REF*ZZ=FINAL` stands in the document."""
        for mark in marks:
            place, _, wanted = mark.partition("=")
            if any(value.upper() == wanted.upper() for value in self.find((place,))):
                return True
        return False


def _value(segment: Any, place: str) -> str:
    if "+" in place:
        tag, _, qualifier = place.partition("+")
        element, component = QUALIFIED.get(tag, (2, 1))
        return str(segment.get(element, component)) if segment.tag == tag and segment.get(1) == qualifier else ""
    if "*" in place:
        tag, _, qualifier = place.partition("*")
        return str(segment.get(2)) if segment.tag == tag and segment.get(1) == qualifier else ""
    tag, _, number = place.partition("-")
    return str(segment.get(int(number))) if segment.tag == tag and number.isdecimal() else ""


def receipt_of(rules: Any, stated: Stated, lines: Sequence[ReceiptLine], *, partner: str, position: str, head: Any) -> Receipt:
    """A receipt of lines that were read, with what the document states around them; without a number or a date there is none."""
    number = stated.first(rules.receipt_number)
    if not number:
        raise fault_at("receipt.number", "the document has no receipt number", "send it with the warehouse's receipt number", at=head)
    if not lines:
        raise fault_at("receipt.empty", "the document has no lines: it tells of no goods", "send the receipt with its lines again", at=head)
    references = tuple(dict.fromkeys(stated.find(rules.ra)))
    return Receipt(
        partner=partner,
        receipt_no=number,
        ra_reference=references[0] if references else "",
        received_on=_received_on(rules, stated, head),
        lines=tuple(lines),
        final=stated.has(rules.final),
        warehouse=rules.warehouses.get(stated.first(rules.warehouse), ""),
        tracking_numbers=tuple(dict.fromkeys(stated.find(rules.tracking))),
        order_reference=stated.first(rules.order),
        references=references,
        position=position,
    )


def _received_on(rules: Any, stated: Stated, head: Any) -> date:
    for value in stated.find(rules.received_on):
        found = day_of(value)
        if found:
            return found
    raise fault_at("receipt.date", "the document has no readable date of receipt", "send it with the date as CCYYMMDD", at=head)


def day_of(text: str) -> date | None:
    """The day of CCYYMMDD, with or without a time after it."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def identifiers(pairs: Iterable[tuple[str, str]], items: Sequence[str]) -> list[str]:
    """Item numbers in the profile's order of qualifiers; qualifiers that it does not list name no item."""
    rank = {qualifier: place for place, qualifier in enumerate(items)}
    known = sorted(((rank[q], value) for q, value in pairs if value and q in rank), key=lambda pair: pair[0])
    return list(dict.fromkeys(value for _, value in known))
