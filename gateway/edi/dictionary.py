"""What the standard says about the inside of a set, and what a fault in it means for a return.

Only that is an error which would make the document wrong: a line without its item, an unreadable quantity or date, a header
that is missing. Everything else is noted. The tables below name those segments and elements; a partner's `Strictness` moves
single findings. Tables are in `dictionary_tables`, order in `dictionary_walk`, elements in `dictionary_elements`, and their
quick form in `dictionary_pattern`.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from re import Pattern
from typing import NamedTuple

from gateway.edi import dictionary_pattern, dictionary_totals
from gateway.edi.dictionary_elements import BadElement, check
from gateway.edi.dictionary_tables import Table, load, names, nearest
from gateway.edi.dictionary_walk import ONCE_ANYWHERE, Misplaced, walk
from gateway.edi.dictionary_words import element_words, segment_words
from gateway.edi.syntax import Finding, Scope, Severity
from gateway.edi.x12_parts import DEFAULT, SET_NOT_SUPPORTED, Segment, Separators, Strictness

FUNCTIONAL_IDS = {
    "180": "AN", "810": "IN", "812": "CD", "824": "AG", "846": "IB", "850": "PO", "856": "SH", "861": "RC",
    "940": "OW", "943": "AR", "944": "RE", "945": "SW", "947": "AW", "997": "FA", "999": "FA",
}  # fmt: skip

_ALL = frozenset(range(1, 100))
# The segments of a set that carry what is received or announced, and their elements that must be right.
_ESSENTIAL: dict[str, dict[str, frozenset[int]]] = {
    "944": {"W17": frozenset({1, 2, 3}), "W07": frozenset({1, 2, 3, 4, 5, 9}), "W13": frozenset({1, 2, 3})},
    "861": {"BRA": frozenset({1, 2}), "RCD": _ALL, "LIN": frozenset({2, 3})},
    "947": {"W15": frozenset({1}), "W19": frozenset({1, 2, 3, 4, 5, 6})},
    "180": {"BGN": frozenset({1, 2, 3}), "BLI": frozenset({1, 2, 3, 4})},
    "856": {"BSN": frozenset({1, 2, 3}), "HL": frozenset({1, 2, 3}), "LIN": frozenset({2, 3}), "SN1": frozenset({2, 3})},
    "943": {"W06": frozenset({1}), "W04": frozenset({1, 2, 4, 5})},
    "940": {"W05": frozenset({1, 2}), "W01": frozenset({1, 2, 4, 5})},
    "945": {"W06": frozenset({1}), "W12": frozenset({1, 2, 3})},
    "846": {"BIA": frozenset({1, 2}), "LIN": frozenset({2, 3}), "QTY": frozenset({1, 2})},
    "824": {"BGN": frozenset({1}), "OTI": frozenset({1})},
    "997": {"AK1": frozenset({1, 2})},
    "999": {"AK1": frozenset({1, 2})},
}
# Faults in essential elements that real files have and that change nothing: (segment, element, AK403 code).
_HARMLESS = {("W17", 3, "5"), ("W07", 3, "4"), ("W07", 3, "5"), ("W07", 3, "6")}
# Segments that carry goods: one of them in the wrong set or place is a line that would be lost.
_GOODS = frozenset({"W07", "W13", "W04", "W01", "W12", "W19", "RCD", "BLI", "LIN", "SN1", "HL"})
_MOST_ORDERS = 4096
_MOST_PATTERNS = 16
_LONGEST_ORDER = 120
_WORTH_PATTERNS = 24  # sets of a kind with the same delimiters before patterns are made for them: they take some 10 to 100 ms to compile
_MOST_DELIMITERS = 256
_PLAIN = Separators()


class QuickSet(NamedTuple):
    """What finds the sets of a kind that are right for sure; `agrees` looks at what a pattern cannot."""

    set_id: str
    pattern: Pattern[bytes]
    notes: list[Finding]
    agrees: dictionary_totals.Agrees


class _Segments(dict[str, Callable[[bytes], object] | None]):
    """What matches the segments of a version that are right for sure, made as they come; None where there is no rule."""

    def __init__(self, table: Table, separators: Separators) -> None:
        super().__init__()
        self._table = table
        self._separators = separators

    def __missing__(self, tag: str) -> Callable[[bytes], object] | None:
        rule = self._table.segments.get(tag)
        if rule is None:
            return None
        self[tag] = dictionary_pattern.segment_pattern(rule, self._separators).match
        return self[tag]


class SetCheck:
    """The checks of one set in one version; remembers orders of segments it has judged, and makes patterns when they are worth it."""

    def __init__(self, set_id: str, version: str) -> None:
        found, exact = nearest(version)
        self._set_id = set_id
        self._table: Table = load(found)
        self._known = set_id in self._table.sets
        self._orders: dict[tuple[str, ...], list[Misplaced]] = {}
        self._seen: dict[Separators, int] = {}
        self._segments: dict[Separators, _Segments] = {}
        self._patterns: dict[tuple[Separators, bytes], tuple[Pattern[bytes], dictionary_totals.Agrees]] = {}
        self.notes = tuple(_notes(set_id, version, found, exact=exact, known=self._known))

    @property
    def can_be_quick(self) -> bool:
        """Whether there is, or will be, a quick way for these sets."""
        return self._known and dictionary_pattern.AVAILABLE

    def quick(self, separators: Separators, line_end: bytes) -> QuickSet | None:
        """The quick way for sets with these delimiters; None while it is not worth one, or where there cannot be any."""
        if not self.can_be_quick or self._seen.get(separators, 0) < _WORTH_PATTERNS:
            return None
        key = (separators, line_end)
        if key not in self._patterns:
            if len(self._patterns) >= _MOST_PATTERNS:
                self._patterns.clear()
            pattern = dictionary_pattern.set_pattern(self._set_id, self._table, dictionary_pattern.Marks(separators, line_end))
            self._patterns[key] = pattern, dictionary_totals.Agrees(self._set_id, separators, line_end, once=ONCE_ANYWHERE.get(self._set_id, ""))
        pattern, agrees = self._patterns[key]
        return QuickSet(self._set_id, pattern, list(self.notes), agrees)

    def judge(self, tags: list[str], parts: list[list[str]], separators: Separators, segments: Callable[[], list[Segment]]) -> Sequence[Finding]:
        """All that is to be found; the segments themselves are only made when there is something."""
        if not self._known or not tags:
            return self.notes
        if len(self._seen) > _MOST_DELIMITERS:
            self._seen.clear()
        self._seen[separators] = self._seen.get(separators, 0) + 1
        doubtful = self._doubtful(tags, parts, separators)
        misplaced = self._order_of(tuple(tags))
        unbalanced = list(dictionary_totals.check(self._set_id, tags, parts))
        if not doubtful and not misplaced and not unbalanced:
            return self.notes
        made = segments()
        found = [self._misplaced(one, made) for one in misplaced] + [_unbalanced(one, made[one.at]) for one in unbalanced]
        for at in doubtful:
            found += self._elements(made[at], separators)
        found.sort(key=lambda finding: finding.segment or 0)
        return [*self.notes, *found]

    def _doubtful(self, tags: list[str], parts: list[list[str]], separators: Separators) -> list[int]:
        """The places of segments whose elements are not right for sure."""
        end = len(tags) - (tags[-1] == "SE")  # the trailer is compared with the header by the envelope
        if self._seen[separators] < _WORTH_PATTERNS or len(separators.terminator) > 1:
            return [at for at in range(1, end) if tags[at] in self._table.segments]
        right = self._segments.get(separators)
        if right is None:
            if len(self._segments) >= _MOST_PATTERNS:
                self._segments.clear()
            right = self._segments[separators] = _Segments(self._table, separators)
        element, terminator = separators.element.decode("latin-1"), separators.terminator.decode("latin-1")
        doubtful = []
        for at in range(1, end):
            matches = right[tags[at]]
            if matches is not None and not matches((element.join((tags[at], *parts[at])) + terminator).encode()):
                doubtful.append(at)
        return doubtful

    def _order_of(self, tags: tuple[str, ...]) -> list[Misplaced]:
        misplaced = self._orders.get(tags)
        if misplaced is None:
            misplaced = walk(tags, self._set_id, self._table)
            if len(tags) <= _LONGEST_ORDER and len(self._orders) < _MOST_ORDERS:
                self._orders[tags] = misplaced
        return misplaced

    def _misplaced(self, one: Misplaced, segments: Sequence[Segment]) -> Finding:
        at = segments[min(one.ordinal, len(segments)) - 1]
        code, message, remedy = segment_words(one, self._set_id, at.tag, self._table.version)
        return Finding(
            code=code,
            severity=self._gravity(one, segments),
            scope=Scope.SET,
            message=message,
            remedy=remedy,
            offset=at.offset,
            segment=one.ordinal,
            tag=one.tag,
            ack=one.code,
            ack_kind="AK3",
        )

    def _gravity(self, one: Misplaced, segments: Sequence[Segment]) -> Severity:
        if one.code in "45":
            serious = one.code == "5" and one.tag in _ESSENTIAL[self._set_id]
        elif one.code == "3":
            serious = one.tag in _ESSENTIAL[self._set_id] and not _no_lines_meant(one.tag, segments)
        else:
            serious = one.code == "1" or one.tag in _GOODS or one.tag in _ESSENTIAL[self._set_id]
        return Severity.ERROR if serious else Severity.NOTE

    def _elements(self, segment: Segment, separators: Separators) -> list[Finding]:
        rule = self._table.segments.get(segment.tag)
        if rule is None:
            return []
        repetition = separators.repetition.decode("latin-1") if separators.repetition else None
        return [self._bad_element(segment, each) for each in check(segment.elements, rule, segment.component, repetition)]

    def _bad_element(self, segment: Segment, bad: BadElement) -> Finding:
        name = element_name(segment.tag, bad.element, self._table.version)
        code, message, remedy = element_words(segment.tag, bad, name)
        essential = bad.element in _ESSENTIAL[self._set_id].get(segment.tag, ())
        harmless = (segment.tag, bad.element, bad.code) in _HARMLESS or bad.code == "3"
        return Finding(
            code=code,
            severity=Severity.ERROR if essential and not harmless else Severity.NOTE,
            scope=Scope.SET,
            message=message,
            remedy=remedy,
            offset=segment.offset,
            segment=segment.ordinal,
            tag=segment.tag,
            element=bad.element,
            component=bad.component,
            element_number=bad.rule.number if bad.rule and not bad.rule.number.startswith("C") else None,
            value=bad.value or None,
            ack=bad.code,
            ack_kind="AK4",
        )


def _unbalanced(one: dictionary_totals.Unbalanced, at: Segment) -> Finding:
    message, remedy = dictionary_totals.words(one)
    return Finding(
        code="x12.total",
        severity=Severity.NOTE,
        scope=Scope.SET,
        message=message,
        remedy=remedy,
        offset=at.offset,
        segment=at.ordinal,
        tag=at.tag,
        element=one.total.element,
        value=one.said,
    )


@lru_cache(maxsize=256)
def checker_for(set_id: str, version: str) -> SetCheck:
    """The checks of a set in a version, made once."""
    return SetCheck(set_id, version)


def check_set(segments: Sequence[Segment], set_id: str, version: str, strictness: Strictness = DEFAULT) -> list[Finding]:
    """All that is wrong inside a set from ST to SE; its envelope is not looked at."""
    made = list(segments)
    separators = _PLAIN._replace(component=made[0].component.encode("latin-1")) if made else _PLAIN
    tags, parts = [segment.tag for segment in made], [segment.elements for segment in made]
    return strictness.settle_all(checker_for(set_id, version).judge(tags, parts, separators, lambda: made))


def describe(tag: str, version: str = "004010") -> str | None:
    """The name of a segment, or None when the version has no such segment."""
    name: str | None = names()["segments"].get(tag)
    known = tag in load(nearest(version)[0]).segments
    return (name or tag) if known else None


def element_name(tag: str, n: int, version: str = "004010") -> str | None:
    """The name of element n of a segment, counted from 1."""
    rule = load(nearest(version)[0]).segments.get(tag)
    if rule is None or not 0 < n <= len(rule.elements):
        return None
    number = rule.elements[n - 1].number
    name: str = names()["elements"].get(number, number)
    return name


def element_number(tag: str, n: int, version: str = "004010") -> str | None:
    """The data element number of element n of a segment, for instance `373`."""
    rule = load(nearest(version)[0]).segments.get(tag)
    return rule.elements[n - 1].number if rule is not None and 0 < n <= len(rule.elements) else None


def code_meaning(element_number: str, code: str) -> str | None:
    """What a code of a data element means, or None when it is not listed."""
    listed = names()["codes"].get(element_number)
    meaning: str | None = listed["codes"].get(code) if listed else None
    return meaning


def is_composite(tag: str, n: int, version: str = "004010") -> bool:
    """Whether element n of a segment may hold components."""
    rule = load(nearest(version)[0]).segments.get(tag)
    return rule is not None and 0 < n <= len(rule.elements) and rule.elements[n - 1].kind == "COMP"


def _no_lines_meant(tag: str, segments: Sequence[Segment]) -> bool:
    """W17-01 `N` or `X` means that lines which are absent were received as announced."""
    return tag == "W07" and any(segment.tag == "W17" and segment.get(1) in ("N", "X") for segment in segments)


def _notes(set_id: str, version: str, found: str, *, exact: bool, known: bool) -> list[Finding]:
    notes = []
    if not known:
        notes.append(
            Finding(
                code="x12.set-unknown",
                severity=Severity.NOTE,
                scope=Scope.SET,
                message=f"There is no table for the set {set_id or '(none)'}; its inside was not checked.",
                remedy="Check with the partner whether this document is meant for the gateway.",
                segment=1,
                tag="ST",
                element=1,
                value=set_id or None,
                ack=SET_NOT_SUPPORTED,
                ack_kind="AK5",
            )
        )
    elif not exact:
        notes.append(
            Finding(
                code="x12.version-nearest",
                severity=Severity.NOTE,
                scope=Scope.SET,
                message=f"There is no table for version {version or '(none)'}; the set was checked as {found}.",
                remedy="Nothing to do; agree on 004010 or 005010 if checks fail for this reason.",
                value=version or None,
            )
        )
    return notes
