"""The parts of an X12 file as values: separators, segments, headers, sets, and the events in which they are told.

Text is decoded, positions are bytes of the file counted from 1. Headers are kept as sent. A `Segment` is a named tuple and
not a dataclass because one is made for every thirty bytes read, and a tuple is made in C.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gateway.edi.syntax import Finding, Severity, has_error

SET_NOT_SUPPORTED = "1"  # AK502 when a set is known to nobody here; whether to say so is the caller's decision


class Separators(NamedTuple):
    """The four delimiters of one interchange, as bytes: a terminator may be a multi-byte character."""

    element: bytes = b"*"
    component: bytes = b">"
    repetition: bytes | None = None
    terminator: bytes = b"~"


class Segment(NamedTuple):
    """One segment; `elements[0]` is element 01."""

    tag: str
    elements: list[str]
    ordinal: int = 0
    offset: int = 0
    component: str = ">"

    def get(self, n: int) -> str:
        """Element n, counted from 1, without trailing blanks; empty when it is absent."""
        return self.elements[n - 1].rstrip() if 0 < n <= len(self.elements) else ""

    def components(self, n: int) -> list[str]:
        """The components of element n; one empty component when it is absent."""
        return [part.rstrip() for part in self.get(n).split(self.component)]


@dataclass(frozen=True, slots=True, kw_only=True)
class InterchangeHeader:
    """What an ISA says; ids and qualifiers without their padding."""

    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    date: str
    time: str
    version: str
    control: str
    ack_requested: bool
    usage: str
    separators: Separators
    offset: int = 1
    standards: str = "U"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupHeader:
    """What a GS says."""

    functional_id: str
    sender: str
    receiver: str
    date: str
    time: str
    control: str
    version: str
    offset: int = 1


@dataclass(frozen=True, slots=True)
class Strictness:
    """Which findings a partner is forgiven and which it is not.

    An entry is a finding code, or one narrowed to a segment or element: `x12.segment-missing:W14`,
    `x12.element-long:W17-03`. The narrower entry wins.
    """

    waived: frozenset[str] = frozenset()
    raised: frozenset[str] = frozenset()

    def settle(self, finding: Finding) -> Finding:
        """The same finding with the severity this partner gets."""
        if not (self.waived or self.raised):
            return finding
        for name in _names(finding):
            if name in self.waived:
                return replace(finding, severity=Severity.NOTE)
            if name in self.raised:
                return replace(finding, severity=Severity.ERROR)
        return finding

    def settle_all(self, findings: Iterable[Finding]) -> list[Finding]:
        """All of them, settled."""
        return [self.settle(finding) for finding in findings]


def _names(finding: Finding) -> list[str]:
    names = [finding.code]
    if finding.tag:
        names.insert(0, f"{finding.code}:{finding.tag}")
        if finding.element:
            names.insert(0, f"{finding.code}:{finding.tag}-{finding.element:02d}")
    return names


DEFAULT = Strictness()


@dataclass(frozen=True, slots=True)
class InterchangeStart:
    """An ISA was read."""

    header: InterchangeHeader
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class InterchangeAck:
    """A TA1 was read: the partner's word about an interchange of ours."""

    segment: Segment
    interchange: InterchangeHeader


@dataclass(frozen=True, slots=True)
class GroupStart:
    """A GS was read."""

    header: GroupHeader
    interchange: InterchangeHeader


class TransactionSet:
    """One set from ST to SE, checked; `ordinal` counts in its group, from 1; offsets are of its first and last byte, exactly.

    Its segments may be given as a function: they are made when they are first asked for, which nobody does for a set that is
    only counted or acknowledged. `raw` is there for a set that was found right as a whole: its bytes, plain ASCII, with the same
    line end or none behind every terminator.
    """

    __slots__ = ("_segments", "control", "end_offset", "findings", "group", "interchange", "offset", "ordinal", "raw", "set_id")

    def __init__(  # noqa: PLR0913, PLR0917 - a value with ten parts
        self,
        set_id: str,
        control: str,
        segments: list[Segment] | Callable[[], list[Segment]],
        findings: list[Finding],
        interchange: InterchangeHeader,
        group: GroupHeader | None,
        ordinal: int,
        offset: int = 0,
        end_offset: int = 0,
        raw: bytes | None = None,
    ) -> None:
        self.set_id = set_id
        self.control = control
        self._segments = segments
        self.findings = findings
        self.interchange = interchange
        self.group = group
        self.ordinal = ordinal
        self.offset = offset
        self.end_offset = end_offset
        self.raw = raw

    @property
    def segments(self) -> list[Segment]:
        """All segments in order, ST and SE included."""
        if not isinstance(self._segments, list):
            self._segments = self._segments()
        return self._segments

    def plain(self) -> list[list[str]]:
        """The same as lists of segment id and elements, without positions: for a set found right as a whole, a quarter of the work."""
        if self.raw is None:
            return [[segment.tag, *segment.elements] for segment in self.segments]
        separators = self.interchange.separators
        text, element, terminator = self.raw.decode("ascii"), separators.element.decode("latin-1"), separators.terminator.decode("latin-1")
        return [piece.split(element) for piece in text.split(text[text.rindex(terminator) :])[:-1]]

    @property
    def accepted(self) -> bool:
        """Whether it may be used: no finding is an error."""
        return not self.findings or not has_error(self.findings)


@dataclass(frozen=True, slots=True)
class GroupEnd:
    """A group is over, by its GE or without one; `declared` is GE01, the others were counted."""

    header: GroupHeader
    declared: int | None
    counted: int
    accepted: int
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class InterchangeEnd:
    """An interchange is over, by its IEA or without one."""

    header: InterchangeHeader
    findings: list[Finding]
    accepted: bool


@dataclass(frozen=True, slots=True)
class FileFinding:
    """Something stands outside every interchange."""

    finding: Finding


Event = InterchangeStart | InterchangeAck | GroupStart | TransactionSet | GroupEnd | InterchangeEnd | FileFinding
