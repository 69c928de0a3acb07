"""A file as people read it: every segment and element with its name, codes with their meaning, findings at their place.

Pure functions over chunks of bytes, for X12 and EDIFACT alike: the command line prints `Line.text()`, pages mark the parts up themselves. A finding
stands under the element, segment or heading that it speaks of; none is left out, whatever else cannot be shown.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from gateway.edi import dictionary, edifact, edifact_tables, x12
from gateway.edi.syntax import Finding, Severity
from gateway.edi.x12_parts import DEFAULT, FileFinding, Strictness

_HEAD = 4096
_MISSING = ".segment-missing"  # such a finding stands in front of the segment that was found instead
_LABEL_WIDTH = 10
_NAME_WIDTH = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the view: a `heading`, `segment`, `element` or `finding`; what is not of its kind is empty."""

    kind: str
    indent: int = 0
    label: str = ""
    name: str = ""
    value: str = ""
    meaning: str = ""
    element: int = 0
    component: int = 0
    offset: int = 0
    finding: Finding | None = None

    def text(self) -> str:
        """The line in plain text."""
        space = "  " * self.indent
        if self.finding is not None:
            mark = "!!" if self.finding.severity is Severity.ERROR else "! "
            return f"{space}{mark} {sentence(self.finding)}"
        if self.kind == "element":
            meaning = f"  = {self.meaning}" if self.meaning else ""
            return f"{space}{self.label:{_LABEL_WIDTH}}{self.name[:_NAME_WIDTH]:{_NAME_WIDTH}}  {_printable(self.value)}{meaning}".rstrip()
        return f"{space}{self.label:{_LABEL_WIDTH if self.label else 0}}{self.name}".rstrip()


def sentence(finding: Finding) -> str:
    """A finding in one sentence or two: what, where, and what to do."""
    where = finding.where()
    message = finding.message[:1].lower() + finding.message[1:] if where == "the file" else finding.message
    place = "In the file, " if where == "the file" else where[:1].upper() + where[1:] + ": "
    return f"{place}{message} {finding.remedy}"


def first_fault(findings: Iterable[Finding]) -> Finding | None:
    """The one to name first when only one can be named: the earliest error, or the earliest note."""
    return min(findings, key=lambda finding: (finding.severity is not Severity.ERROR, finding.offset), default=None)


def annotate(chunks: Iterable[bytes], *, strictness: Strictness = DEFAULT) -> Iterator[Line]:
    """The lines of the view of a file, in its order; a file that is no EDI gives one line that says so."""
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= _HEAD:
            break
    whole = chain([head], source)
    if x12.sniff(head) == "edifact":
        for message_event in edifact.read_messages(whole, strictness=strictness):
            yield from _edifact_event(message_event)
    else:
        for set_event in x12.read_sets(whole, strictness=strictness):
            yield from _x12_event(set_event)


def _finding_lines(findings: Iterable[Finding], indent: int) -> Iterator[Line]:
    for finding in findings:
        yield Line(kind="finding", indent=indent, offset=finding.offset, finding=finding)


def _heading(name: str, indent: int, offset: int = 0) -> Line:
    return Line(kind="heading", indent=indent, name=name, offset=offset)


def _x12_event(event: x12.Event) -> Iterator[Line]:
    match event:
        case FileFinding():
            yield from _finding_lines([event.finding], 0)
        case x12.InterchangeStart():
            header = event.header
            parties = f"from {header.sender_qualifier} {header.sender} to {header.receiver_qualifier} {header.receiver}"
            test = ", test" if header.usage == "T" else ""
            yield _heading(f"Interchange {header.control} {parties}, {header.date} {header.time}{test}", 0, header.offset)
            yield from _finding_lines(event.findings, 1)
        case x12.InterchangeAck():
            yield from _segment_lines(event.segment, 1, event.segment.component, "004010")
        case x12.GroupStart():
            group = event.header
            words = f"Group {group.control} of kind {group.functional_id}, version {group.version}, from {group.sender} to {group.receiver}"
            yield _heading(words, 1, group.offset)
        case x12.TransactionSet():
            yield from _set_lines(event)
        case x12.GroupEnd():
            yield _heading(f"End of group {event.header.control}: {event.accepted} of {event.counted} sets accepted", 1)
            yield from _finding_lines(event.findings, 2)
        case x12.InterchangeEnd():
            yield _heading(f"End of interchange {event.header.control}: {'accepted' if event.accepted else 'not accepted'}", 0)
            yield from _finding_lines(event.findings, 1)


def _set_lines(event: x12.TransactionSet) -> Iterator[Line]:
    state = "accepted" if event.accepted else "not accepted"
    yield _heading(f"Set {event.set_id} {event.control}: {state}", 2, event.offset)
    version = event.group.version if event.group else event.interchange.version
    yield from _placed(
        event.findings,
        len(event.segments),
        lambda at: _segment_lines(event.segments[at - 1], 3, event.segments[at - 1].component, version),
    )


def _segment_lines(segment: x12.Segment, indent: int, component: str, version: str) -> Iterator[Line]:
    name = dictionary.describe(segment.tag, version) or _ENVELOPE.get(segment.tag, "(unknown segment)")
    yield Line(kind="segment", indent=indent, label=segment.tag, name=name, offset=segment.offset)
    for n in range(1, len(segment.elements) + 1):
        value = segment.get(n)
        if not value:
            continue
        number = dictionary.element_number(segment.tag, n, version) or ""
        yield Line(
            kind="element",
            indent=indent + 1,
            label=f"{segment.tag}-{n:02d}",
            element=n,
            name=dictionary.element_name(segment.tag, n, version) or "",
            value=value,
            meaning=dictionary.code_meaning(number, value.split(component)[0] if number.startswith("C") else value) or "",
            offset=segment.offset,
        )


_ENVELOPE = {"ST": "Transaction Set Header", "SE": "Transaction Set Trailer", "TA1": "Interchange Acknowledgment"}


def _placed(findings: Sequence[Finding], count: int, lines_of: Callable[[int], Iterator[Line]]) -> Iterator[Line]:
    """The lines of all segments with each finding behind the element or segment that it speaks of; those without a place come first."""
    yield from _finding_lines((each for each in findings if not each.segment), 3)
    for ordinal in range(1, count + 1):
        own = [each for each in findings if each.segment == ordinal]
        lines = lines_of(ordinal)
        yield from _finding_lines((each for each in own if each.code.endswith(_MISSING)), 3)
        yield next(lines)
        yield from _finding_lines((each for each in own if not each.element and not each.code.endswith(_MISSING)), 4)
        shown: set[int] = set()
        for line in lines:
            yield line
            here = [each for each in own if each.element == line.element and line.element not in shown]
            if not line.component or all((each.component or 0) <= line.component for each in here):  # else a later component is meant
                yield from _finding_lines(here, 5)
                shown.add(line.element)
        yield from _finding_lines((each for each in own if each.element and each.element not in shown), 4)
    yield from _finding_lines((each for each in findings if each.segment and each.segment > count), 3)


def _edifact_event(event: edifact.Event) -> Iterator[Line]:
    match event:
        case FileFinding():
            yield from _finding_lines([event.finding], 0)
        case edifact.InterchangeStart():
            header = event.header
            parties = f"from {header.sender} {header.sender_qualifier}".rstrip() + f" to {header.recipient} {header.recipient_qualifier}".rstrip()
            test = ", test" if header.test else ""
            yield _heading(f"Interchange {header.control} {parties}, {header.date} {header.time}, {header.syntax}{test}", 0, header.offset)
            yield from _finding_lines(event.findings, 1)
        case edifact.GroupStart():
            yield _heading(f"Group {event.header.control} of kind {event.header.functional_id}", 1, event.header.offset)
        case edifact.Message():
            yield from _message_lines(event)
        case edifact.GroupEnd():
            yield _heading(f"End of group {event.header.control}: {event.accepted} of {event.counted} messages accepted", 1)
            yield from _finding_lines(event.findings, 2)
        case edifact.InterchangeEnd():
            yield _heading(f"End of interchange {event.header.control}: {'accepted' if event.accepted else 'not accepted'}", 0)
            yield from _finding_lines(event.findings, 1)


def _message_lines(event: edifact.Message) -> Iterator[Line]:
    state = "accepted" if event.accepted else "not accepted"
    yield _heading(f"Message {event.message_type} {event.version}.{event.release} {event.control}: {state}", 2, event.offset)
    directory, _ = edifact_tables.nearest(event.message_type, event.version, event.release)
    yield from _placed(event.findings, len(event.segments), lambda at: _edifact_segment_lines(event.segments[at - 1], directory))


def _edifact_segment_lines(segment: edifact.Segment, directory: str) -> Iterator[Line]:
    name = edifact_tables.describe(segment.tag) or "(unknown segment)"
    yield Line(kind="segment", indent=3, label=segment.tag, name=name, offset=segment.offset)
    for n, components in enumerate(segment.elements, 1):
        for at, value in enumerate(components, 1):
            if not value.strip():
                continue
            rule = edifact_tables.element_rule(segment.tag, n, at, directory)
            part = f".{at}" if len(components) > 1 else ""
            yield Line(
                kind="element",
                indent=4,
                label=f"{segment.tag}-{n:02d}{part}",
                element=n,
                component=at if part else 0,
                name=(edifact_tables.element_name(rule.number) or "") if rule else "",
                value=value.rstrip(),
                meaning=(edifact_tables.code_meaning(rule.number, value.rstrip()) or "") if rule else "",
                offset=segment.offset,
            )


def _printable(value: str) -> str:
    return value if value.isprintable() else ascii(value)
