"""Receipts out of 944s, by the partner's profile.

A 944 that obeys the syntax can still make no sense as a receipt: totals that do not add up, a unit nobody knows, a condition code without a meaning.
Such a document is not a receipt at all: `ReadReceipt.faults` says why, with the place, and nothing of it is applied. What is merely odd goes along as a
warning. No code is given a meaning that the profile does not give it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from gateway.domain.documents import Receipt, ReceiptLine
from gateway.domain.items import Catalogue
from gateway.edi.x12 import Segment, TransactionSet
from gateway.errors import PermanentError
from gateway.mapping import quick_receipts
from gateway.mapping.inbound_parts import ReadReceipt, whole_number
from gateway.mapping.inbound_parts import ReceiptFault as _Fault
from gateway.mapping.inbound_parts import fault_at as _fault
from gateway.mapping.profiles import Profile, ReadX12Receipt

_make_read = quick_receipts.maker(ReadReceipt)


def to_receipt(document: TransactionSet, *, profile: Profile, catalogue: Catalogue) -> ReadReceipt:
    """A receipt from a 944 whose syntax was accepted."""
    rules = profile.receive.x12_receipt
    position = f"set {document.ordinal} ({document.set_id} {document.control})"
    if rules is None:
        raise PermanentError(f"{profile.partner} is not set up for X12 receipts: add [receive.x12_receipt] to its profile")
    plan = quick_receipts.plan_for(profile, catalogue)
    quick = plan.read(document, position) if plan else None
    if quick is not None:
        return _make_read(quick[0], (), quick[1], position)
    try:
        receipt, listed_only = _read_944(_Parts.of(document), rules, profile=profile, catalogue=catalogue, position=position)
    except _Fault as fault:
        return ReadReceipt(receipt=None, faults=(fault.finding,), position=position)
    return ReadReceipt(receipt=receipt, listed_only=listed_only, position=position)


@dataclass(slots=True)
class _Item:
    """A W07 with what hangs under it."""

    head: Segment
    references: list[Segment]
    exceptions: list[Segment]


@dataclass(slots=True)
class _Parts:
    """A 944 cut into heading, items and total; N9 after a W13 belongs to that W13 (x12 section 7.1)."""

    heading: list[Segment]
    items: list[_Item]
    total: Segment | None
    places: dict[str, list[Segment]] = field(default_factory=dict)

    @classmethod
    def of(cls, document: TransactionSet) -> _Parts:
        parts = cls([], [], None)
        for segment in document.segments:
            if segment.tag == "W07":
                parts.items.append(_Item(segment, [], []))
            elif segment.tag == "W14":
                parts.total = segment
            elif parts.items and segment.tag == "W13":
                parts.items[-1].exceptions.append(segment)
            elif parts.items:
                parts.items[-1].references.append(segment)
            else:
                parts.heading.append(segment)
        for segment in (*parts.heading, *(r for item in parts.items for r in item.references)):
            parts.places.setdefault(segment.tag, []).append(segment)
            parts.places.setdefault(f"{segment.tag}*{segment.get(1)}", []).append(segment)
        return parts

    def find(self, places: Iterable[str]) -> Iterator[str]:
        """The values at the places, in the profile's order: the heading first, then the lines."""
        for place in places:
            key, element = quick_receipts.split_place(place)
            for segment in self.places.get(key, ()):
                value = segment.get(element)
                if value:
                    yield value


def _first(values: Iterator[str]) -> str:
    return next(values, "")


def _read_944(parts: _Parts, rules: ReadX12Receipt, *, profile: Profile, catalogue: Catalogue, position: str) -> tuple[Receipt, bool]:
    head = next((s for s in parts.heading if s.tag == "W17"), None)
    if head is None or not parts.items:
        raise _fault("receipt.empty", "the 944 has no W17 or no W07: it tells of no goods", "send the receipt with its lines again")
    listed_only = head.get(1) in quick_receipts.EXCEPTIONS_ONLY
    if listed_only and rules.absent_lines == "hold":
        raise _fault(
            "receipt.exceptions-only",
            f"W17-01 is {head.get(1)}: only exceptions are listed, and the profile does not say that absent lines came as announced",
            f'if they did, set absent_lines = "as_announced" under [receive.x12_receipt] of {profile.partner} and replay the file',
            at=head,
            element=1,
            value=head.get(1),
        )
    lines = tuple(_line(item, rules, profile=profile, catalogue=catalogue) for item in parts.items)
    _check_total(parts, rules)
    stated_at = _first(parts.find(rules.warehouse))
    number = _first(parts.find(rules.receipt_number))
    if not number:
        raise _fault("receipt.number", "the 944 has no receipt number (W17-03)", "send it with the warehouse's receipt number", at=head, element=3)
    references = tuple(dict.fromkeys(parts.find(rules.ra)))
    receipt = Receipt(
        partner=profile.partner,
        receipt_no=number,
        ra_reference=references[0] if references else "",
        received_on=_received_on(parts, rules, head),
        lines=lines,
        final=any(_is_marked(parts, mark) for mark in rules.final),
        warehouse=rules.warehouses.get(stated_at, ""),
        tracking_numbers=tuple(dict.fromkeys(parts.find(rules.tracking))),
        order_reference=_first(parts.find(rules.order)),
        references=references,
        position=position,
    )
    return receipt, listed_only


def _is_marked(parts: _Parts, mark: str) -> bool:
    place, _, wanted = mark.partition("=")
    return any(value.upper() == wanted.upper() for value in parts.find((place,)))


def _received_on(parts: _Parts, rules: ReadX12Receipt, head: Segment) -> date:
    for value in parts.find(rules.received_on):
        try:
            return date(int(value[:4]), int(value[4:6]), int(value[6:8]))
        except ValueError:
            continue
    raise _fault("receipt.date", "the 944 has no readable date of receipt", "send it with W17-02 as CCYYMMDD", at=head, element=2, value=head.get(2))


def _line(item: _Item, rules: ReadX12Receipt, *, profile: Profile, catalogue: Catalogue) -> ReceiptLine:
    head = item.head
    pieces = rules.units.get(head.get(2))
    if pieces is None:
        raise _fault(
            "receipt.unit",
            f"the unit {head.get(2)!r} is not one the profile can count in pieces ({', '.join(rules.units)})",
            f"if it has a fixed number of pieces, add it under [receive.x12_receipt.units] of {profile.partner}, e.g. {head.get(2)} = 12, and replay",
            at=head,
            element=2,
            value=head.get(2),
        )
    received = _quantity(head, 1) * pieces
    by_meaning, condition = _exceptions(item, rules, pieces, profile)
    second = by_meaning.get("second", 0)
    good = received
    if rules.damaged_quantity == "included":
        good = received - second
    if good < 0:
        raise _fault(
            "receipt.more-damaged-than-received",
            f"{second} units are reported damaged, but only {received} received, and {profile.partner}'s received quantity includes the damaged ones",
            "correct the quantities, or change damaged_quantity in the profile if the damaged units come on top",
            at=head,
            element=1,
            value=head.get(1),
        )
    stated = _identifiers(head, rules)
    found = catalogue.resolve(partner=profile.partner, candidates=stated)
    if not stated:
        raise _fault("receipt.item", "the line names no item (W07-03 to W07-07)", "send the line with its SKU or UPC", at=head, element=5)
    return ReceiptLine(
        stated=stated[0],
        sku=found.sku if found else "",
        good=good,
        second=second,
        missing=by_meaning.get("short", 0),
        condition=condition,
        position=f"segment {head.ordinal} (W07)",
    )


def _identifiers(head: Segment, rules: ReadX12Receipt) -> list[str]:
    """Item identifiers in the profile's order of qualifiers; a case code last, since some put a unit's UPC there."""
    pairs = [(head.get(q), head.get(q + 1)) for q in (4, 6, 10) if head.get(q + 1)]
    ordered = [value for qualifier, value in sorted(pairs, key=lambda p: _rank(rules.items, p[0])) if qualifier in rules.items]
    return [*ordered, head.get(3)] if head.get(3) else ordered


def _rank(items: tuple[str, ...], qualifier: str) -> int:
    return items.index(qualifier) if qualifier in items else len(items)


def _exceptions(item: _Item, rules: ReadX12Receipt, pieces: int, profile: Profile) -> tuple[dict[str, int], str]:
    """Units by meaning of their condition, and the condition in words."""
    if not item.exceptions:
        return {}, ""
    sums: dict[str, int] = {}
    words = ""
    for segment in item.exceptions:
        code = segment.get(3)
        meaning = rules.conditions.get(code)
        if meaning is None:
            raise _fault(
                "receipt.condition",
                f"the condition code {code!r} has no meaning in {profile.partner}'s profile",
                f'ask the partner what it means, add "{code}" = "good|second|short|ignore" under [receive.x12_receipt.conditions], and replay',
                at=segment,
                element=3,
                value=code,
            )
        sums[meaning] = sums.get(meaning, 0) + _quantity(segment, 1) * pieces
        if meaning == "second":
            words = quick_receipts.condition_words(code)
    return sums, words


def _quantity(segment: Segment, element: int) -> int:
    text = segment.get(element)
    number = whole_number(text)
    if number is None or number < 0:
        what = "not a whole number of units" if number is None else "negative"
        raise _fault(
            "receipt.quantity",
            f"the quantity {text!r} is {what}",
            "correct the quantity; to take back an earlier receipt, ask for a correction instead",
            at=segment,
            element=element,
            value=text,
        )
    return int(number)


def _check_total(parts: _Parts, rules: ReadX12Receipt) -> None:
    if not rules.check_total or parts.total is None:
        return
    added = sum((whole_number(item.head.get(1)) or 0 for item in parts.items), 0)
    stated = whole_number(parts.total.get(1))
    if added != stated:
        raise _fault(
            "receipt.total",
            f"lines add up to {added}, total says {parts.total.get(1) if stated is None else stated}",
            "correct the lines or the total (W14-01) and drop the file again; nothing of this receipt was applied",
            at=parts.total,
            element=1,
            value=parts.total.get(1),
        )
