"""An open set and an open group while they are read, and what is wrong with them when they close.

Trailers are compared with headers as sent: ST02/SE02 as text, GS06/GE02 as numbers. A set is checked inside by `dictionary`.
"""

from functools import partial
from itertools import count, repeat

from gateway.edi import dictionary
from gateway.edi.syntax import Finding, number, with_lines
from gateway.edi.x12_faults import fault
from gateway.edi.x12_parts import GroupHeader, InterchangeHeader, Segment, Strictness, TransactionSet
from gateway.edi.x12_split import Block

MOST_CONTROLS = 50_000  # numbers out of order remembered in a group; beyond that repeats are not looked for
make_segment = partial(tuple.__new__, Segment)


class OpenSet:
    """A set whose SE has not come yet."""

    __slots__ = ("_ends", "_lines", "_offsets", "_parts", "_tags", "complete")

    def __init__(self, block: Block, start: int, end: int) -> None:
        self.complete = end < len(block.tags) and block.tags[end] == "SE"
        if self.complete:
            end += 1
        self._tags = block.tags[start:end]
        self._parts = block.parts[start:end]
        self._offsets = block.offsets[start:end]
        self._lines = block.lines[start:end]
        self._ends = block.ends[start:end]

    def extend(self, block: Block, start: int, end: int) -> None:
        """Take more segments."""
        self._tags += block.tags[start:end]
        self._parts += block.parts[start:end]
        self._offsets += block.offsets[start:end]
        self._lines += block.lines[start:end]
        self._ends += block.ends[start:end]

    def close(self, interchange: InterchangeHeader, group: "OpenGroup | None", strictness: Strictness, *, with_line: bool) -> TransactionSet:
        """The set, checked."""
        component = interchange.separators.component.decode("latin-1")
        tags, parts = self._tags, self._parts
        segments = partial(_segments, tags, parts, self._offsets, component)
        opening = parts[0]
        set_id = opening[0].rstrip() if opening else ""
        control = opening[1].rstrip() if len(opening) > 1 else ""
        findings: list[Finding] = []
        if parts[-1] != [str(len(tags)), control] or tags[-1] != "SE":
            findings += _trailer_findings(segments(), control)
        if len(set_id) != 3 or not 4 <= len(control) <= 9:
            findings += _opening_findings(segments()[0])
        ordinal, header = 0, None
        version = "005010" if interchange.version >= "00500" else "004010"
        if group is not None:
            header = group.header
            version = header.version
            ordinal = group.count(control)
            findings += group.set_findings(set_id, control, self._offsets[0])
        findings += dictionary.checker_for(set_id, version).judge(tags, parts, interchange.separators, segments)
        if findings:
            lines = dict(zip(self._offsets, self._lines, strict=True)) if with_line else {}
            findings = strictness.settle_all(with_lines(findings, lines))
        return TransactionSet(set_id, control, segments, findings, interchange, header, ordinal, self._offsets[0], self._ends[-1])


def _segments(tags: list[str], parts: list[list[str]], offsets: list[int], component: str) -> list[Segment]:
    return list(map(make_segment, zip(tags, parts, count(1), offsets, repeat(component))))


class OpenGroup:
    """A group while it is read."""

    __slots__ = ("_first_stray", "_last", "_seen", "_strays", "accepted", "counted", "findings", "header", "repeated")

    def __init__(self, header: GroupHeader) -> None:
        self.header = header
        self.findings: list[Finding] = []
        self.counted = 0
        self.accepted = 0
        self._seen: set[str] = set()
        self._last = -1
        self.repeated = False
        self._strays = 0
        self._first_stray: tuple[int, str, int] = (0, "", 0)

    def count(self, control: str) -> int:
        """Count one more set; rising numbers are compared with the last one only, so that memory stays flat."""
        self.counted += 1
        self.repeated = False
        number = int(control) if control.isdecimal() and control.isascii() else -1
        if number > self._last:
            self._last = number
        elif control in self._seen or number == self._last >= 0:
            self.repeated = True
        elif len(self._seen) < MOST_CONTROLS:
            self._seen.add(control)
        return self.counted

    def fits(self, set_id: str) -> bool:
        """Whether GS01 is the one for such sets."""
        return dictionary.FUNCTIONAL_IDS.get(set_id, self.header.functional_id) == self.header.functional_id

    def set_findings(self, set_id: str, control: str, offset: int) -> list[Finding]:
        """What is wrong with a set as a member of this group."""
        findings = []
        if self.repeated:
            findings.append(fault("x12.st02-repeated", found=control, tag="ST", element=2, offset=offset, segment=1))
        if not self.fits(set_id):
            expected = dictionary.FUNCTIONAL_IDS[set_id]
            words = f"{set_id} belongs into a group of kind {expected}"
            findings.append(fault("x12.gs01-mismatch", found=self.header.functional_id, expected=words, offset=self.header.offset))
        return findings

    @property
    def has_strays(self) -> bool:
        """Whether segments outside every set wait to be reported."""
        return self._strays > 0

    def stray(self, ordinal: int, tag: str, offset: int, number: int) -> None:
        """Count segments outside every set."""
        if not self._strays:
            self._first_stray = (ordinal, tag, offset)
        self._strays += number

    def settle_strays(self, code: str = "x12.segment-outside") -> None:
        """Say what stood outside every set up to here."""
        if self._strays:
            ordinal, tag, offset = self._first_stray
            self.findings.append(fault(code, found=self._strays, segment=ordinal, tag=tag, offset=offset))
            self._strays = 0


def _trailer_findings(segments: list[Segment], control: str) -> list[Finding]:
    trailer = segments[-1]
    at = {"offset": trailer.offset, "segment": trailer.ordinal}
    if trailer.tag != "SE":
        return [fault("x12.se-missing", found=len(segments), expected=control, tag=trailer.tag, **at)]
    findings = []
    if number(trailer.get(1)) != len(segments):
        found = trailer.get(1)
        findings.append(fault("x12.se01-count", found=found, expected=len(segments), tag="SE", element=1, **at))
    if trailer.get(2) != control:
        found = trailer.get(2)
        findings.append(fault("x12.se02-control", found=found, expected=control, tag="SE", element=2, **at))
    return findings


def _opening_findings(opening: Segment) -> list[Finding]:
    findings = []
    at = {"offset": opening.offset, "segment": 1}
    if len(opening.get(1)) != 3:
        findings.append(fault("x12.st01-format", found=opening.get(1), tag="ST", element=1, **at))
    if not 4 <= len(opening.get(2)) <= 9:
        findings.append(fault("x12.st02-format", found=opening.get(2), tag="ST", element=2, **at))
    return findings


def close_group(group: OpenGroup, trailer: Segment | None) -> int | None:
    """Compare a group's trailer with its header and its count; GE01 as a number."""
    if trailer is None:
        group.findings.append(fault("x12.ge-missing", expected=group.header.control, offset=group.header.offset, tag="GS"))
        return None
    declared = number(trailer.get(1))
    at = {"offset": trailer.offset}
    if declared != group.counted:
        found = trailer.get(1)
        group.findings.append(fault("x12.ge01-count", found=found, expected=group.counted, tag="GE", element=1, **at))
    if number(trailer.get(2)) != number(group.header.control) or not trailer.get(2):
        found = trailer.get(2)
        group.findings.append(fault("x12.ge02-control", found=found, expected=group.header.control, tag="GE", element=2, **at))
    return declared if isinstance(declared, int) else None
