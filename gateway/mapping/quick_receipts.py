"""A receipt straight from the bytes of a 944 that is right, by the partner's profile compiled into patterns.

The reader has found such a set right as a whole (`x12_quick`), and the documents of a partner are alike: the same segments in the same order. For each
order that comes again a pattern is made whose groups are the lines and the elements that the profile names, so that one call of the engine takes a
whole set apart. What is odd in any way (a new order, a fault, a code without a meaning, a quantity with a point, a blank at the end of a value) is left
to `inbound`, which says what is wrong and where. What this returns is what `inbound` would have returned; a property test holds the two together, and
a rule that changes there changes here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields, make_dataclass
from datetime import date
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple, TypeVar, cast

from gateway.domain.documents import Receipt, ReceiptLine
from gateway.domain.items import Catalogue, gtin14
from gateway.edi import dictionary
from gateway.edi.x12 import Separators, TransactionSet
from gateway.mapping.profiles import Profile, ReadX12Receipt

# The keys of [receive.x12_receipt] that a plan obeys; a profile that sets another one is read by `inbound` alone.
KEYS = frozenset(
    {"ra", "receipt_number", "received_on", "tracking", "order", "warehouse", "warehouses", "final"}
    | {"items", "damaged_quantity", "check_total", "units", "conditions", "absent_lines"}
)
LONGEST_QUANTITY = 9
EXCEPTIONS_ONLY = frozenset({"X", "N"})  # W17-01: lines that are absent came as announced
_LINE, _EXCEPTION, _TOTAL = "W07", "W13", "W14"  # never places of a fact
_PAIRS = (4, 6, 10)  # W07 elements that hold the qualifier of an item (x12 section 7.1)
_MOST_KEPT = 8192
_MOST_ALIKE = 4  # layouts with the same number of segments
_WORTH_PATTERN = 3  # sets of an order before its pattern is made, which takes some milliseconds
_MOST_PLANS = 64

K = TypeVar("K")
T = TypeVar("T")


def maker(kind: type[T]) -> Callable[..., T]:
    """What makes a frozen document of its fields in order, five times as fast as calling it.

    A frozen dataclass sets each field through `object.__setattr__`; here a changeable twin with the same slots is filled and then declared to be the
    document. Python refuses that for classes whose slots differ, so it cannot go wrong silently.
    """
    named = fields(kind)  # type: ignore[arg-type]  # a dataclass
    given: list[Any] = [each.name if each.default is MISSING else (each.name, object, each.default) for each in named]
    twin = make_dataclass(kind.__name__, given, slots=True)

    def make(*values: object) -> T:
        made: Any = twin(*values)
        made.__class__ = kind
        return cast("T", made)

    return make


_make_line = maker(ReceiptLine)
_make_receipt = maker(Receipt)


class _Odd(Exception):
    """The set is not as plain as this way needs it."""


class _Item(NamedTuple):
    """What a W07 says by itself: how many of how many pieces each, of what as stated, and our SKU or none."""

    number: int
    each: int
    stated: str
    sku: str


class _Layout(NamedTuple):
    """A pattern of a whole set, and which of its groups, counted from 0, hold which fact, in the profile's order."""

    match: Callable[[str], re.Match[str] | None]
    ra: tuple[int, ...]
    receipt_number: tuple[int, ...]
    received_on: tuple[int, ...]
    tracking: tuple[int, ...]
    order: tuple[int, ...]
    warehouse: tuple[int, ...]
    final: tuple[tuple[tuple[int, ...], str], ...]
    reporting: int
    lines: tuple[tuple[int, str, tuple[int, ...]], ...]  # a W07, its words, the W13 under it
    total: int | None


class _Marks:
    """The delimiters of an interchange as text, and the layouts of its sets by their number of segments."""

    def __init__(self, separators: Separators) -> None:
        self.element, self.terminator = separators.element.decode("latin-1"), separators.terminator.decode("latin-1")
        self.blanks = " " + self.element, " " + self.terminator
        self.layouts: dict[int, list[_Layout]] = {}
        self.seen: dict[str, int] = {}


class Plan:
    """What a profile asks of a 944."""

    def __init__(self, profile: Profile, rules: ReadX12Receipt, catalogue: Catalogue) -> None:
        self._partner = profile.partner
        self._rules = rules
        self._finals = tuple((place, wanted.upper()) for place, _, wanted in (mark.partition("=") for mark in rules.final))
        self._keys = frozenset(split_place(place)[0] for place in _all_places(rules)) | {"W17"}
        self._qualified = frozenset(key.partition("*")[0] for key in self._keys if "*" in key)
        self._ranks = {qualifier: rank for rank, qualifier in reversed(list(enumerate(rules.items)))}
        self._units, self._conditions, self._warehouses = dict(rules.units), dict(rules.conditions), dict(rules.warehouses)
        self._included = rules.damaged_quantity == "included"
        self._hold = rules.absent_lines == "hold"
        self._check_total = rules.check_total
        self._words = {code: condition_words(code) for code, meaning in rules.conditions.items() if meaning == "second"}
        self._own = {text: sku for (partner, text), sku in catalogue.cross_references.items() if partner == profile.partner}
        self._by_sku, self._by_gtin = catalogue.by_sku, catalogue.by_gtin
        self._marks: dict[Separators, _Marks] = {}
        self._items: dict[str, _Item] = {}
        self._preferences: dict[tuple[str, ...], tuple[int, ...]] = {}

    def read(self, document: TransactionSet, position: str) -> tuple[Receipt, bool] | None:
        """The receipt, and whether lines it does not list came as announced; None when it must be read the long way."""
        if document.raw is None or document.set_id != "944":
            return None
        separators = document.interchange.separators
        marks = self._marks.get(separators) or _remember(self._marks, separators, _Marks(separators))
        text = document.raw.decode("ascii")
        blank, last_blank = marks.blanks
        if blank in text or last_blank in text:
            return None
        number = text.count(marks.terminator)
        for layout in marks.layouts.get(number, ()):
            match = layout.match(text)
            if match is not None:
                return self._receipt(match.groups(), layout, marks.element, position)
        self._learn(text, number, marks)
        return None

    def _receipt(self, found: tuple[str, ...], layout: _Layout, element: str, position: str) -> tuple[Receipt, bool] | None:
        listed_only = found[layout.reporting] in EXCEPTIONS_ONLY
        number = _first(found, layout.receipt_number)
        received_on = _first_day(found, layout.received_on)
        if not number or received_on is None or (listed_only and self._hold):
            return None
        try:
            lines = self._lines(found, layout, element)
        except _Odd:
            return None
        references = _unlike(found, layout.ra)
        receipt = _make_receipt(
            self._partner,
            number,
            references[0] if references else "",
            received_on,
            lines,
            bool(layout.final) and any(found[at].upper() == wanted for spec, wanted in layout.final for at in spec),
            self._warehouses.get(_first(found, layout.warehouse), "") if layout.warehouse else "",
            _unlike(found, layout.tracking) if layout.tracking else (),
            _first(found, layout.order) if layout.order else "",
            references,
            position,
        )
        return receipt, listed_only

    def _lines(self, found: tuple[str, ...], layout: _Layout, element: str) -> tuple[ReceiptLine, ...]:
        lines = []
        items = self._items
        added = 0
        for at, words, under in layout.lines:
            piece = found[at]
            item = items.get(piece) or _remember(items, piece, self._item(piece.split(element)))
            number, each, stated, sku = item
            added += number
            if under:
                lines.append(self._marked_line(item, words, [found[w].split(element) for w in under]))
            else:
                lines.append(_make_line(stated, sku, number * each, 0, 0, "", "", words))
        if layout.total is not None and self._check_total and added != _whole(found[layout.total]):
            raise _Odd
        return tuple(lines)

    def _item(self, head: list[str]) -> _Item:
        each = self._units.get(head[2])
        if each is None:
            raise _Odd
        stated = self._identifiers(head)
        return _Item(_whole(head[1]), each, stated[0], self._sku(stated))

    def _marked_line(self, item: _Item, words: str, exceptions: list[list[str]]) -> ReceiptLine:
        """A line with W13 segments: not all of it came, or not all of it is good."""
        number, each, stated, sku = item
        sums: dict[str, int] = {}
        condition = ""
        for elements in exceptions:
            meaning = self._conditions.get(elements[3])
            if meaning is None:
                raise _Odd
            sums[meaning] = sums.get(meaning, 0) + _whole(elements[1]) * each
            condition = self._words.get(elements[3], condition)
        second = sums.get("second", 0)
        good = number * each - (second if self._included else 0)
        if good < 0:
            raise _Odd
        return _make_line(stated, sku, good, second, sums.get("short", 0), condition, "", words)

    def _identifiers(self, head: list[str]) -> list[str]:
        """By the profile's order of qualifiers; a qualifier is never without its value in a set that is right (P0405, P0607, P1011)."""
        qualifiers = (*head[4:7:2], *head[10:11])
        wanted = self._preferences.get(qualifiers)
        if wanted is None:
            wanted = _remember(self._preferences, qualifiers, self._preference(qualifiers))
        stated = [head[at] for at in wanted]
        if head[3]:
            stated.append(head[3])
        if not stated:
            raise _Odd
        return stated

    def _preference(self, qualifiers: tuple[str, ...]) -> tuple[int, ...]:
        """The elements that hold items with these qualifiers, the one the profile likes best first."""
        known = [(self._ranks[each], at + 1) for at, each in zip(_PAIRS, qualifiers, strict=False) if each in self._ranks]
        return tuple(at for _, at in sorted(known))

    def _sku(self, stated: list[str]) -> str:
        """Our SKU, as `Catalogue.resolve` finds it: by the partner's own name for it, by SKU, by bar code."""
        by_sku, own = self._by_sku, self._own
        if own:
            for text in stated:
                if own.get(text) in by_sku:
                    return by_sku[own[text]].sku
        for text in stated:
            item = by_sku.get(text)
            if item is not None:
                return item.sku
        for text in stated:
            code = gtin14(text) if text.isdigit() else None
            if code and code in self._by_gtin:
                return self._by_gtin[code].sku
        return ""

    def _learn(self, text: str, number: int, marks: _Marks) -> None:
        """Make a layout of a set whose order has come before."""
        pieces = text.split(text[text.rindex(marks.terminator) :])[:-1]
        joint = re.escape(text[text.rindex(marks.terminator) :])
        segments = [piece.split(marks.element) for piece in pieces]
        pattern = joint.join([self._segment_pattern(each, marks) for each in segments]) + joint
        marks.seen[pattern] = marks.seen.get(pattern, 0) + 1
        if len(marks.seen) > _MOST_KEPT:
            marks.seen.clear()
        alike = marks.layouts.setdefault(number, [])
        if marks.seen.get(pattern) == _WORTH_PATTERN and len(alike) < _MOST_ALIKE:
            alike.append(self._layout(segments, re.compile(pattern)))

    def _segment_pattern(self, elements: list[str], marks: _Marks) -> str:
        tag, separator = elements[0], re.escape(marks.element)
        rest = f"[^{re.escape(marks.terminator)}]*+"
        value = f"[^{separator}{re.escape(marks.terminator)}]*+"
        if tag in (_LINE, _EXCEPTION):
            return f"({tag}{separator}{rest})"
        if tag == _TOTAL:
            return f"{tag}{separator}({value}){rest}"
        first = re.escape(elements[1]) if len(elements) > 1 and tag in self._qualified else value
        if self._names(elements):
            return tag + "".join(f"{separator}({first if at == 1 else value})" for at in range(1, len(elements)))
        return tag + (f"{separator}{first}(?:{separator}{rest}|)" if len(elements) > 1 else "")

    def _names(self, elements: list[str]) -> bool:
        """Whether the profile looks for a fact in such a segment."""
        return elements[0] in self._keys or "*".join(elements[:2]) in self._keys

    def _layout(self, segments: list[list[str]], pattern: re.Pattern[str]) -> _Layout:
        lines: list[tuple[int, str, list[int]]] = []
        places: dict[tuple[str, int], list[int]] = {}
        total = None
        group = 0
        for ordinal, elements in enumerate(segments, 1):
            tag = elements[0]
            if tag == _LINE:
                lines.append((group, f"segment {ordinal} (W07)", []))
            elif tag == _EXCEPTION:
                lines[-1][2].append(group)
            elif tag == _TOTAL:
                total = group
            elif self._names(elements):
                for n, key in product(range(1, len(elements)), (tag, "*".join(elements[:2]))):
                    places.setdefault((key, n), []).append(group + n - 1)
                group += len(elements) - 2
            else:
                continue
            group += 1
        rules = self._rules
        facts = (rules.ra, rules.receipt_number, rules.received_on, rules.tracking, rules.order, rules.warehouse)
        ra, number, received_on, tracking, order, warehouse = (_groups(places, fact) for fact in facts)
        final = tuple((spec, wanted) for place, wanted in self._finals if (spec := _groups(places, [place])))
        kept = tuple((at, words, tuple(under)) for at, words, under in lines)
        reporting = places["W17", 1][0]
        return _Layout(pattern.match, ra, number, received_on, tracking, order, warehouse, final, reporting, kept, total)


class _Plans:
    """The plans of the last profiles, found by the very profile and catalogue, not by ones that are alike, which would take long to find out."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], tuple[Profile, Catalogue, Plan | None]] = {}

    def get(self, profile: Profile, catalogue: Catalogue) -> Plan | None:
        """The plan, made once; None for a profile that says more than a plan obeys."""
        key = (id(profile), id(catalogue))  # both are held below, so no other object can have their place
        held = self._held.get(key)
        if held is None:
            rules = profile.receive.x12_receipt
            plan = Plan(profile, rules, catalogue) if rules is not None and rules.model_fields_set <= KEYS else None
            if len(self._held) >= _MOST_PLANS:
                self._held.clear()
            held = self._held[key] = (profile, catalogue, plan)
        return held[2]


plan_for = _Plans().get


def split_place(place: str) -> tuple[str, int]:
    """`W17-04` is element 4 of a W17; `N9*RZ` is element 2 of an N9 whose first is RZ."""
    if "*" in place:
        return place, 2
    tag, _, element = place.partition("-")
    return tag, int(element)


def condition_words(code: str) -> str:
    """A receiving condition (element 412) in the shortest words a returns desk uses."""
    words = (dictionary.code_meaning("412", code) or f"condition {code}").lower()
    return "damaged" if words.startswith("damaged") else words


def _all_places(rules: ReadX12Receipt) -> list[str]:
    marks = [mark.partition("=")[0] for mark in rules.final]
    return [*rules.ra, *rules.receipt_number, *rules.received_on, *rules.tracking, *rules.order, *rules.warehouse, *marks]


def _groups(places: dict[tuple[str, int], list[int]], wanted: Iterable[str]) -> tuple[int, ...]:
    return tuple(group for place in wanted for group in places.get(split_place(place), ()))


def _unlike(found: tuple[str, ...], spec: tuple[int, ...]) -> tuple[str, ...]:
    """What stands in the groups, each value once."""
    return tuple(dict.fromkeys([found[at] for at in spec if found[at]]))


def _first(found: tuple[str, ...], spec: tuple[int, ...]) -> str:
    for at in spec:
        if found[at]:
            return found[at]
    return ""


def _first_day(found: tuple[str, ...], spec: tuple[int, ...]) -> date | None:
    for at in spec:
        day = _day(found[at])
        if day is not None:
            return day
    return None


@lru_cache(maxsize=1024)
def _day(value: str) -> date | None:
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:8]))
    except ValueError:
        return None


def _whole(text: str) -> int:
    if len(text) > LONGEST_QUANTITY or not text.isdigit():
        raise _Odd
    return int(text)


def _remember(held: dict[K, T], key: K, value: T) -> T:
    """The value, kept for the next time; what would grow without end is begun anew."""
    if len(held) >= _MOST_KEPT:
        held.clear()
    held[key] = value
    return value
