"""What the tables say about the inside of a message, and what a fault in it means for a return.

The same policy as for X12: only that is an error which would make the document wrong (no number, a line or quantity that cannot
be read or would be lost); everything else is noted, and a partner's `Strictness` moves single findings. Each finding has the code that a
CONTRL gives it (0085).
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from re import Pattern

from gateway.edi import dictionary_pattern, edifact_tables
from gateway.edi.dictionary_elements import BadElement, fault_of
from gateway.edi.dictionary_tables import ElementRule, SegmentRule
from gateway.edi.dictionary_walk import Misplaced, walk
from gateway.edi.edifact_faults import fault
from gateway.edi.edifact_parts import Delimiters, Segment
from gateway.edi.syntax import Finding, Scope, Severity, number
from gateway.edi.x12_parts import Separators

_ALL = frozenset(range(1, 30))
# The segments of a message that carry what is received or announced, and their elements that must be right.
_ESSENTIAL: dict[str, dict[str, frozenset[int]]] = {
    "RECADV": {"BGM": frozenset({2}), "LIN": frozenset({3}), "QTY": _ALL},
    "INVRPT": {"BGM": frozenset({2}), "LIN": frozenset({3}), "QTY": _ALL},
    "DESADV": {"BGM": frozenset({2}), "LIN": frozenset({3}), "QTY": _ALL},
    "RETANN": {"BGM": frozenset({2}), "LIN": frozenset({3}), "QTY": _ALL},
    "CONTRL": {"UCI": frozenset({1, 4}), "UCM": frozenset({1, 3})},
    "APERAK": {"BGM": frozenset({2}), "ERC": frozenset({1})},
}
_GOODS = frozenset({"LIN", "QTY", "CPS"})

# By the kind of fault as X12 numbers it: finding code, CONTRL code, words, remedy.
_SEGMENTS = {
    "1": ("edifact.segment-unknown", "15", "There is no segment {tag} in {directory}.", "Ask the sender to correct the segment tag."),
    "2": ("edifact.segment-unexpected", "15", "The segment {tag} belongs to a group of the {type} that was not begun.", "Tell the sender."),
    "3": (
        "edifact.segment-missing", "13", "A {type} must have a segment {tag}; it was expected at position {ordinal}, where {instead} stands.",
        "Ask the sender to add it, or waive this in the profile when it is always left out.",
    ),
    "4": ("edifact.group-repeat", "36", "The group that begins with {tag} comes more often than a {type} allows.", "Tell the sender; it was read."),
    "5": ("edifact.segment-repeat", "35", "The segment {tag} comes more often than a {type} allows here.", "Tell the sender; it was read."),
    "6": ("edifact.segment-foreign", "15", "The segment {tag} does not belong here in a {type} of {directory}.", "Tell the sender."),
    "7": ("edifact.segment-place", "15", "The segment {tag} stands too late in the {type}: its place was already passed.", "Tell the sender."),
}  # fmt: skip
_ELEMENTS = {
    "1": ("edifact.element-missing", "13", "{place} must be filled and is empty.", "Ask the sender to fill it."),
    "3": ("edifact.elements-surplus", "16", "{place} is one more than there may be; found {value}.", "Tell the sender."),
    "4": ("edifact.element-short", "40", "{place} must have at least {shortest} characters; found {value}.", "Ask the sender to correct it."),
    "5": ("edifact.element-long", "39", "{place} may have at most {longest} characters; found {value}.", "Ask the sender to shorten it."),
    "6": ("edifact.element-character", "37", "{place} must be {kind}; found {value}.", "Ask the sender to correct it."),
    "7": ("edifact.element-code", "12", "{place} must be a code of list {number}; {value} is not in it.", "Ask the sender which code is meant."),
}
SEGMENT_CODES = tuple(entry[0] for entry in _SEGMENTS.values())
ELEMENT_CODES = tuple(entry[0] for entry in _ELEMENTS.values())
WORTH_PATTERNS = 24  # messages of a kind with the same delimiters before a pattern is made for them
_MOST_DELIMITERS = 256
_MOST_PATTERNS = 16
_MOST_ORDERS = 1024
_LONGEST_ORDER = 200


class MessageCheck:
    """The checks of one message type in one directory; remembers orders of segments it has judged."""

    def __init__(self, message: str, version: str, release: str) -> None:
        directory, exact = edifact_tables.nearest(message, version, release)
        self.message = message
        self.table = edifact_tables.load(directory)
        self.known = message in self.table.sets
        self._exact = exact
        self._seen: dict[Delimiters, int] = {}
        self._patterns: dict[tuple[Delimiters, bytes], Pattern[bytes]] = {}
        self._orders: dict[tuple[str, ...], list[Misplaced]] = {}
        self.notes: tuple[Finding, ...] = ()
        if not self.known:
            self.notes = (fault("edifact.message-unknown", found=message, segment=1, tag="UNH", element=2),)
        elif not exact:
            self.notes = (fault("edifact.version-nearest", found=f"{version}.{release}", expected=directory),)

    @property
    def can_be_quick(self) -> bool:
        """Whether there is, or will be, a quick way for these messages."""
        return self.known and dictionary_pattern.AVAILABLE

    def quick(self, identity: tuple[str, str, str], delimiters: Delimiters, line_end: bytes) -> Pattern[bytes] | None:
        """What finds messages that are right for sure; None while it is not worth one, or where there cannot be any."""
        if not self.can_be_quick or self._seen.get(delimiters, 0) < WORTH_PATTERNS:
            return None
        key = (delimiters, line_end)
        if key not in self._patterns:
            if len(self._patterns) >= _MOST_PATTERNS:
                self._patterns.clear()
            separators = Separators(delimiters.element, delimiters.component, None, delimiters.terminator)
            marks = dictionary_pattern.Marks(separators, line_end, nested=True, release=delimiters.release)
            self._patterns[key] = dictionary_pattern.message_pattern(identity, self.table, marks)
        return self._patterns[key]

    def judge(self, segments: Sequence[Segment], delimiters: Delimiters) -> list[Finding]:
        """All that is to be found."""
        if len(self._seen) > _MOST_DELIMITERS:
            self._seen.clear()
        self._seen[delimiters] = self._seen.get(delimiters, 0) + 1
        decimal = delimiters.decimal.decode("latin-1")
        found = list(self.notes)
        if not self.known:
            return found
        found += [self._misplaced(one, segments) for one in self._order_of(tuple(segment.tag for segment in segments))]
        for segment in segments[1:-1] if segments[-1].tag == "UNT" else segments[1:]:
            rule = self.table.segments.get(segment.tag)
            if rule is not None:
                found += [self._bad_element(segment, bad) for bad in check(segment.elements, rule, decimal)]
        found += _lines_counted(segments)
        found.sort(key=lambda finding: finding.segment or 0)
        return found

    def _order_of(self, tags: tuple[str, ...]) -> list[Misplaced]:
        misplaced = self._orders.get(tags)
        if misplaced is None:
            misplaced = walk(tags, self.message, self.table)
            if len(tags) <= _LONGEST_ORDER and len(self._orders) < _MOST_ORDERS:
                self._orders[tags] = misplaced
        return misplaced

    def _misplaced(self, one: Misplaced, segments: Sequence[Segment]) -> Finding:
        at = segments[min(one.ordinal, len(segments)) - 1]
        code, ack, message, remedy = _SEGMENTS[one.code]
        essential = one.tag in _ESSENTIAL.get(self.message, {})
        serious = one.code == "1" or (one.code == "3" and essential) or (one.code in "27" and one.tag in _GOODS and self._exact)
        words = {"tag": one.tag, "type": self.message, "directory": self.table.version, "ordinal": one.ordinal, "instead": at.tag}
        return Finding(
            code=code,
            severity=Severity.ERROR if serious else Severity.NOTE,
            scope=Scope.SET,
            message=message.format(**words),
            remedy=remedy,
            offset=at.offset,
            segment=one.ordinal,
            tag=one.tag,
            ack=ack,
            ack_kind="UCS",
        )

    def _bad_element(self, segment: Segment, bad: BadElement) -> Finding:
        code, ack, message, remedy = _ELEMENTS[bad.code]
        rule = bad.rule or ElementRule("", "", "AN", 0, 0, None, ())
        name = edifact_tables.element_name(rule.number)
        part = f" component {bad.component}" if bad.component else ""
        words = {
            "place": f"{segment.tag}-{bad.element:02d}{part}" + (f" ({name})" if name else ""),
            "value": ascii(bad.value[:99]) if not bad.value.isprintable() else f"'{bad.value[:99]}'",
            "shortest": rule.shortest,
            "longest": rule.longest,
            "kind": "a number" if rule.kind == "R" else "printable text",
            "number": rule.number,
        }
        essential = bad.element in _ESSENTIAL.get(self.message, {}).get(segment.tag, ())
        return Finding(
            code=code,
            severity=Severity.ERROR if essential and bad.code in "1467" else Severity.NOTE,
            scope=Scope.SET,
            message=message.format(**words),
            remedy=remedy,
            offset=segment.offset,
            segment=segment.ordinal,
            tag=segment.tag,
            element=bad.element,
            component=bad.component,
            element_number=rule.number or None,
            value=bad.value or None,
            ack=ack,
            ack_kind="UCD",
        )


@lru_cache(maxsize=256)
def checker_for(message: str, version: str, release: str) -> MessageCheck:
    """The checks of a message in a directory, made once."""
    return MessageCheck(message, version, release)


def check(elements: list[list[str]], rule: SegmentRule, decimal: str = ".") -> list[BadElement]:
    """The faults of a segment's elements, by position, with the codes that X12 gives such faults."""
    found: list[BadElement] = []
    for place, element in enumerate(rule.elements, 1):
        components = elements[place - 1] if place <= len(elements) else [""]
        found += _check_element(components, element, place, decimal)
    surplus = next((at for at in range(len(rule.elements), len(elements)) if any(elements[at])), None)
    if surplus is not None:
        found.append(BadElement(surplus + 1, None, "3", elements[surplus][0], None))
    return found


def _check_element(components: list[str], rule: ElementRule, place: int, decimal: str) -> Iterator[BadElement]:
    parts = rule.components or (rule,)
    if not any(component.strip() for component in components):
        if rule.need == "M":
            yield BadElement(place, None, "1", "", rule)
        return
    for at, part in enumerate(parts, 1):
        value = components[at - 1].rstrip() if at <= len(components) else ""
        component = at if rule.components else None
        if value and (code := _fault_of(value, part, decimal)):
            yield BadElement(place, component, code, value, part)
        elif not value and part.need == "M" and rule.components:
            yield BadElement(place, component, "1", "", part)
    surplus = next((at for at in range(len(parts), len(components)) if components[at].strip()), None)
    if surplus is not None:
        yield BadElement(place, surplus + 1, "3", components[surplus], None)


def _fault_of(value: str, rule: ElementRule, decimal: str) -> str | None:
    if rule.kind == "R" and decimal != ".":
        value = value.replace(decimal, ".", 1)
    elif rule.kind == "R" and "," in value:
        value = value.replace(",", ".", 1)  # ISO 9735 takes either mark, whatever UNA says
    return fault_of(value, rule)


def _lines_counted(segments: Sequence[Segment]) -> Iterator[Finding]:
    """CNT+2 is the number of LIN segments."""
    for segment in segments:
        if segment.tag == "CNT" and segment.get(1) == "2":
            lines = sum(each.tag == "LIN" for each in segments)
            said = segment.get(1, 2)
            if number(said) != lines:
                at = {"offset": segment.offset, "segment": segment.ordinal}
                yield fault("edifact.cnt-lines", found=said, expected=lines, tag="CNT", element=1, component=2, **at)
