"""What a partner says it has in stock: an 846 or INVRPT is a snapshot, a 947 tells of movements. Kept to be compared; no return is ever booked from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.domain.documents import StockLine, StockReport
from gateway.domain.items import Catalogue
from gateway.edi.edifact import Message
from gateway.edi.x12 import Segment, TransactionSet
from gateway.errors import PermanentError
from gateway.mapping.inbound_edifact import item_numbers, items_of
from gateway.mapping.inbound_parts import ReceiptFault, fault_at, meaning_fault, unit_fault, whole_number
from gateway.mapping.inbound_places import Stated, day_of, identifiers
from gateway.mapping.profile_parts import ReadStock
from gateway.mapping.profiles import Profile

HEADS = {"846": ("BIA", 3, 4), "947": ("W15", 2, 1), "INVRPT": ("BGM", 2, 0)}  # segment, element of the number, of the day
LIN_PAIRS = range(2, 31, 2)
W19_PAIRS = (5, 7)
INVENTORY_REPORT = "35"


def to_snapshot(document: TransactionSet | Message, *, profile: Profile, catalogue: Catalogue) -> StockReport | ReceiptFault:
    """A stock report from an 846, 947 or INVRPT whose syntax was accepted, or why there is none."""
    rules = profile.receive.stock
    if rules is None:
        raise PermanentError(f"{profile.partner} is not set up for stock reports: add [receive.stock] to its profile")
    kind = document.set_id if isinstance(document, TransactionSet) else document.message_type
    try:
        return _read(document, kind, rules, profile=profile, catalogue=catalogue)
    except ReceiptFault as fault:
        return fault


def _read(document: TransactionSet | Message, kind: str, rules: ReadStock, *, profile: Profile, catalogue: Catalogue) -> StockReport:
    tag, number_at, day_at = HEADS[kind]
    head: Any = next((s for s in document.segments if s.tag == tag), document.segments[0])
    stated = Stated(document.segments)
    day = day_of(head.get(day_at)) if day_at else next((d for d in map(day_of, stated.find(("DTM+366", "DTM+137"))) if d), None)
    if day is None:
        raise fault_at("stock.date", f"the {kind} has no readable date", "send it with the date as CCYYMMDD", at=head, element=day_at or None)
    lines = list(READERS[kind](document, rules, profile.partner))
    resolved = [(catalogue.resolve(partner=profile.partner, candidates=names), names, line) for names, line in lines]
    return StockReport(
        partner=profile.partner,
        kind="adjustment" if kind == "947" else "snapshot",
        number=head.get(number_at),
        reported_on=day,
        warehouse=rules.warehouses.get(warehouse_of(document, rules), ""),
        lines=tuple(
            StockLine(stated=names[0], sku=item.sku if item else "", quality=quality, quantity=quantity, reason=reason, position=position)
            for item, names, (quality, quantity, reason, position) in resolved
        ),
        position=f"{'set' if isinstance(document, TransactionSet) else 'message'} {document.ordinal} ({kind} {document.control})",
    )


def warehouse_of(document: TransactionSet | Message, rules: ReadStock) -> str:
    """The partner's code of the warehouse: N104 of an N1, or the id of a NAD."""
    for place in rules.warehouse:
        tag, _, qualifier = place.replace("*", "+").partition("+")
        for segment in document.segments:
            if segment.tag == tag and segment.get(1) == qualifier:
                return segment.get(4) if tag == "N1" else segment.get(2)
    return ""


Counted = tuple[list[str], tuple[str, int, str, str]]


def _read_846(document: TransactionSet, rules: ReadStock, partner: str) -> Iterator[Counted]:
    names: list[str] = []
    for segment in document.segments:
        if segment.tag == "LIN":
            names = _named(identifiers([(segment.get(at), segment.get(at + 1)) for at in LIN_PAIRS], rules.items), segment)
        elif segment.tag == "QTY" and names:
            quality = _meaning(rules, "quantities", partner, segment, 1)
            if quality != "ignore":
                quantity = _quantity(segment, 2, segment.components(3)[0], rules, partner)
                yield names, (quality, quantity, "", f"segment {segment.ordinal} (QTY)")


def _read_947(document: TransactionSet, rules: ReadStock, partner: str) -> Iterator[Counted]:
    for segment in document.segments:
        if segment.tag != "W19":
            continue
        pairs = [(segment.get(at), segment.get(at + 1)) for at in W19_PAIRS]
        names = identifiers(pairs, rules.items) or [value for value in (segment.get(4),) if value]
        quality = rules.reasons.get(segment.get(1), "")
        quantity = _quantity(segment, 2, segment.get(3), rules, partner)
        if quality != "ignore":
            yield _named(names, segment), (quality, quantity, segment.get(1), f"segment {segment.ordinal} (W19)")


def _read_invrpt(document: Message, rules: ReadStock, partner: str) -> Iterator[Counted]:
    """Each QTY with the INV behind it: 7491 says whether the units are accepted or damaged."""
    for item in items_of(document):
        names = _named(item_numbers(item, rules.items), item[0])
        for place, segment in enumerate(item):
            if segment.tag != "QTY":
                continue
            quality = _meaning(rules, "quantities", partner, segment, 1)
            after = next((s for s in item[place + 1 :] if s.tag in ("INV", "QTY")), None)
            if after is not None and after.tag == "INV" and after.get(2):
                quality = _meaning(rules, "states", partner, after, 2)
            if quality != "ignore":
                quantity = _quantity(segment, 1, segment.get(1, 3), rules, partner, text=segment.get(1, 2))
                yield names, (quality, quantity, "", f"segment {segment.ordinal} (QTY)")


def _named(names: list[str], at: Any) -> list[str]:
    if not names:
        raise fault_at("stock.item", "the line names no item", "send the line with its SKU or UPC", at=at)
    return names


def _meaning(rules: ReadStock, part: str, partner: str, at: Any, element: int) -> str:
    """The meaning of the code in an element, by the table of the profile under that name."""
    code = at.get(element)
    meaning = getattr(rules, part).get(code)
    if meaning is None:
        raise meaning_fault(code, "code", "good|second|ignore", part=f"receive.stock.{part}", partner=partner, at=(at, element))
    return str(meaning)


def _quantity(segment: Segment | Any, element: int, unit: str, rules: ReadStock, partner: str, *, text: str = "") -> int:
    """A count or signed movement of pieces."""
    factor = rules.units.get(unit)
    if factor is None:
        raise unit_fault(unit, rules.units, part="receive.stock", partner=partner, at=segment, element=element)
    said = text or segment.get(element)
    number = whole_number(said.replace(",", "."))
    if number is None:
        raise fault_at("stock.quantity", f"the quantity {said!r} is not a whole number", "correct it", at=segment, element=element, value=said)
    return number * factor


READERS: dict[str, Any] = {"846": _read_846, "947": _read_947, "INVRPT": _read_invrpt}
