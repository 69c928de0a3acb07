"""The parts of an EDIFACT file as values: service characters, segments, headers, messages, and the events in which they are told.

They mirror those of X12 (`x12_parts`), and share its `Finding`, `Strictness` and `FileFinding`. Text is decoded and released
(`?+` is `+`); positions are bytes of the file counted from 1.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.edi.syntax import Finding, has_error
from gateway.edi.x12_parts import FileFinding


class Delimiters(NamedTuple):
    """The service characters of one interchange (UNA); `release` is None when the blank says that there is none."""

    component: bytes = b":"
    element: bytes = b"+"
    decimal: bytes = b"."
    release: bytes | None = b"?"
    terminator: bytes = b"'"


class Segment(NamedTuple):
    """One segment; `elements[0]` is element 1 as the list of its components."""

    tag: str
    elements: list[list[str]]
    ordinal: int = 0
    offset: int = 0

    def get(self, element: int, component: int = 1) -> str:
        """A component of an element, both counted from 1, without trailing blanks; empty when it is absent."""
        if not 0 < element <= len(self.elements):
            return ""
        components = self.elements[element - 1]
        return components[component - 1].rstrip() if 0 < component <= len(components) else ""

    def components(self, element: int) -> list[str]:
        """The components of an element; one empty component when it is absent."""
        return [part.rstrip() for part in self.elements[element - 1]] if 0 < element <= len(self.elements) else [""]


@dataclass(frozen=True, slots=True, kw_only=True)
class InterchangeHeader:
    """What a UNB says."""

    syntax: str
    syntax_version: str
    sender: str
    sender_qualifier: str
    recipient: str
    recipient_qualifier: str
    date: str
    time: str
    control: str
    application: str = ""
    ack_requested: bool = False
    test: bool = False
    delimiters: Delimiters = Delimiters()  # noqa: RUF009 - a named tuple cannot change
    offset: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupHeader:
    """What a UNG says."""

    functional_id: str
    sender: str
    recipient: str
    control: str
    offset: int = 1


@dataclass(frozen=True, slots=True)
class InterchangeStart:
    """A UNB was read."""

    header: InterchangeHeader
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GroupStart:
    """A UNG was read."""

    header: GroupHeader
    interchange: InterchangeHeader


class Message:
    """One message from UNH to UNT, checked; `ordinal` counts in its interchange or group, from 1; offsets are of its first and last byte.

    Its segments may be given as a function, which is called when they are first asked for.
    """

    __slots__ = (
        "_segments", "control", "end_offset", "findings", "group", "interchange", "message_type", "offset", "ordinal", "release", "version",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - a value with nine parts
        self,
        *,
        identity: tuple[str, str, str, str],
        segments: list[Segment] | Callable[[], list[Segment]],
        findings: list[Finding],
        interchange: InterchangeHeader,
        group: GroupHeader | None,
        ordinal: int,
        offset: int,
        end_offset: int,
    ) -> None:
        self.control, self.message_type, self.version, self.release = identity
        self._segments = segments
        self.findings = findings
        self.interchange = interchange
        self.group = group
        self.ordinal = ordinal
        self.offset = offset
        self.end_offset = end_offset

    @property
    def segments(self) -> list[Segment]:
        """All segments in order, UNH and UNT included."""
        if not isinstance(self._segments, list):
            self._segments = self._segments()
        return self._segments

    @property
    def accepted(self) -> bool:
        """Whether it may be used: no finding is an error."""
        return not self.findings or not has_error(self.findings)


@dataclass(frozen=True, slots=True)
class GroupEnd:
    """A group is over, by its UNE or without one; `declared` is 0060, the others were counted."""

    header: GroupHeader
    declared: int | None
    counted: int
    accepted: int
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class InterchangeEnd:
    """An interchange is over, by its UNZ or without one."""

    header: InterchangeHeader
    findings: list[Finding]
    accepted: bool


Event = InterchangeStart | GroupStart | Message | GroupEnd | InterchangeEnd | FileFinding
