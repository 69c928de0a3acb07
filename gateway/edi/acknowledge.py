"""Acknowledgements: a 997, 999 and TA1 made of findings, and a partner's read back into words; the 824 is in `acknowledge_advice`.

A 997 says whether a group could be read, nothing about its business. The result of a set: `R` with any error, `E` with notes
that have a code of the standard, `A` else. A note without such a code (a wrong GS01, a version read by its neighbour) is ours
to show and changes no result. The order of AK3 and AK4 is the order of positions; the codes are those of the findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from gateway.edi import dictionary
from gateway.edi.acknowledge_advice import (
    AdviceError,
    AdviceItem,
    ApplicationAdvice,
    read_application_advice,
    write_application_advice,
)
from gateway.edi.syntax import Finding, Severity, has_error
from gateway.edi.x12_parts import GroupHeader, InterchangeHeader, Segment, Separators, TransactionSet
from gateway.edi.x12_write import clean

__all__ = [
    "Acknowledgement",
    "AdviceError",
    "AdviceItem",
    "ApplicationAdvice",
    "GroupResults",
    "InterchangeAcknowledgement",
    "SetAcknowledgement",
    "SetResult",
    "acknowledge_group",
    "acknowledge_group_999",
    "acknowledge_interchange",
    "read_acknowledgement",
    "read_application_advice",
    "read_ta1",
    "set_result",
    "write_application_advice",
]

MOST_SETS = 10_000  # an answer names each set of a group up to here; of a larger one just those that were not accepted
_LONGEST_COPY = 99
_MOST_CODES = 5
_NO_DELIMITERS = Separators()
ACKNOWLEDGEMENTS = frozenset({"997", "999"})
SEGMENTS_IN_ERROR = "5"  # AK502


@dataclass(frozen=True, slots=True)
class SetResult:
    """What came of one received set; `reference` names the document for a 999, for instance ("W1704", "R8675309")."""

    set_id: str
    control: str
    findings: Sequence[Finding]
    reference: tuple[str, str] | None = None


@dataclass(slots=True)
class GroupResults:
    """What came of the sets of a group, as far as its answer tells it: the counts are of all, `named` are the sets that it names.

    AK2 may be left out for what was accepted (x12 section 4). Beyond MOST_SETS sets only rejected ones are named, and beyond as many of these without their details, so
    that a group of any size is answered in little memory.
    """

    accepted: int = 0
    rejected: int = 0
    noted: bool = False
    acknowledging: bool = False
    named: list[SetResult] = field(default_factory=list)

    @classmethod
    def of(cls, results: Iterable[SetResult]) -> GroupResults:
        """The results of sets that are all there."""
        found = cls()
        for result in results:
            found.add(result)
        return found

    def add(self, result: SetResult) -> None:
        """Take the next set's result."""
        code = set_result(result.findings)
        self.accepted += code in "AE"
        self.rejected += code == "R"
        self.noted = self.noted or code == "E"
        self.acknowledging = self.acknowledging or result.set_id in ACKNOWLEDGEMENTS
        received = self.accepted + self.rejected
        if received == MOST_SETS + 1:
            self.named = [one for one in self.named if set_result(one.findings) == "R"]
        if received <= MOST_SETS or code == "R":
            self.named.append(result if len(self.named) < MOST_SETS else replace(result, findings=[_bare(result.findings)]))


@dataclass(frozen=True, slots=True)
class SetAcknowledgement:
    """A partner's word on one set of ours: A, E, R (or M, W, X), and why."""

    set_id: str
    control: str
    result: str
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A partner's word on one group of ours; counts are included, received and accepted sets as they were sent."""

    functional_id: str
    group_control: str
    group_result: str
    sets: list[SetAcknowledgement]
    reasons: list[str]
    counts: tuple[int | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class InterchangeAcknowledgement:
    """A partner's TA1 on one interchange of ours."""

    control: str
    date: str
    time: str
    result: str
    code: str
    meaning: str


def acknowledge_group(  # noqa: PLR0913 - what was received has five parts, how it is answered two
    header: GroupHeader,
    results: GroupResults,
    group_findings: Sequence[Finding],
    declared: int | None,
    counted: int,
    separators: Separators = _NO_DELIMITERS,
    *,
    version: str = "004010",
) -> list[list[str]]:
    """The body of a 997 for a received group, between ST and SE; `separators` and `version` are those it will be written with."""
    segments = [["AK1", header.functional_id, header.control]]
    if version >= "005010" and header.version:  # AK103 is there from 005010 on
        segments[0].append(clean(header.version, separators)[:12])
    for result in results.named:
        segments += _acknowledge_set(result, set_result(result.findings), separators)
    whole = _group_result(group_findings, results.accepted, results.rejected, noted=results.noted)
    codes = _codes(group_findings, "AK9")
    included = counted if declared is None else declared
    segments.append(["AK9", whole, str(included), str(counted), str(results.accepted), *codes])
    return segments


def acknowledge_group_999(
    header: GroupHeader,
    results: GroupResults,
    group_findings: Sequence[Finding],
    declared: int | None,
    counted: int,
    separators: Separators = _NO_DELIMITERS,
) -> list[list[str]]:
    """The body of a 999 (005010): that of a 997 with IK segments, and under each the reference of the document, where it has one."""
    renamed = {"AK3": "IK3", "AK4": "IK4", "AK5": "IK5"}
    references = iter([result.reference for result in results.named])
    reference: tuple[str, str] | None = None
    segments = []
    for tag, *values in acknowledge_group(header, results, group_findings, declared, counted, separators, version="005010"):
        if tag == "AK2":
            reference = next(references)
        segments.append([renamed.get(tag, tag), *values])
        if tag == "AK3" and reference:
            segments.append(["CTX", separators.component.decode("latin-1").join(clean(part, separators)[:35] for part in reference)])
    return segments


def set_result(findings: Sequence[Finding]) -> str:
    """AK501 of a set with these findings."""
    if has_error(list(findings)):
        return "R"
    return "E" if any(finding.ack for finding in findings) else "A"


def _bare(findings: Sequence[Finding]) -> Finding:
    """One error that stands for all of a set's, of which there is no room to tell."""
    first = next(finding for finding in findings if finding.severity is Severity.ERROR)
    return first if first.ack_kind == "AK5" else replace(first, ack=SEGMENTS_IN_ERROR, ack_kind="AK5")


def acknowledge_interchange(header: InterchangeHeader, accepted: bool, code: str = "000") -> list[str]:
    """The TA1 segment for a received interchange; `code` is that of its first finding, `000` for none."""
    result = ("A" if code == "000" else "E") if accepted else "R"
    return ["TA1", header.control, header.date, header.time, result, code]


def _acknowledge_set(result: SetResult, code: str, separators: Separators) -> list[list[str]]:
    segments = [["AK2", result.set_id, result.control]]
    inside = [finding for finding in result.findings if finding.ack_kind in ("AK3", "AK4") and finding.segment]
    for (ordinal, tag), group in groupby(inside, key=lambda finding: (finding.segment, finding.tag)):
        together = list(group)
        elements = [finding for finding in together if finding.ack_kind == "AK4"]
        whole = [finding for finding in together if finding.ack_kind == "AK3"]
        segments += [["AK3", tag or "", str(ordinal), "", finding.ack or ""] for finding in whole]
        if elements:
            segments.append(["AK3", tag or "", str(ordinal), "", "8"])
            segments += [_element_note(finding, separators) for finding in elements[:_LONGEST_COPY]]
    codes = _codes(result.findings, "AK5")
    if inside:
        codes = ["5", *codes][:_MOST_CODES]
    segments.append(["AK5", code, *codes])
    return [[clean(value, separators) if at else value for at, value in enumerate(each)] for each in segments]


def _element_note(finding: Finding, separators: Separators) -> list[str]:
    component = separators.component.decode("latin-1")
    place = str(finding.element)
    value = clean(finding.value or "", separators)[:_LONGEST_COPY].rstrip()
    note = ["AK4", place, finding.element_number or "", finding.ack or "", value]
    if finding.component:
        note[1] = f"{place}{component}{finding.component}"
    while not note[-1]:
        note.pop()
    return note


def _codes(findings: Sequence[Finding], kind: str) -> list[str]:
    codes = [finding.ack for finding in findings if finding.ack_kind == kind and finding.ack]
    return list(dict.fromkeys(codes))[:_MOST_CODES]


def _group_result(findings: Sequence[Finding], accepted: int, rejected: int, *, noted: bool) -> str:
    if has_error(list(findings)) or (rejected and not accepted):
        return "R"
    if rejected:
        return "P"
    return "E" if noted or _codes(findings, "AK9") else "A"


def read_acknowledgement(ts: TransactionSet) -> Acknowledgement:
    """A received 997 or 999; an AK5 that is missing leaves the set's result empty, counts that do not add up are kept."""
    functional_id = group_control = result = ""
    sets: list[SetAcknowledgement] = []
    reasons: list[str] = []
    counts: tuple[int | None, int | None, int | None] = (None, None, None)
    at: Segment | None = None
    for segment in ts.segments:
        match segment.tag:
            case "AK1":
                functional_id, group_control = segment.get(1), segment.get(2)
            case "AK2":
                sets.append(SetAcknowledgement(segment.get(1), segment.get(2), ""))
                at = None
            case "AK9":
                result = segment.get(1)
                counts = (_count(segment, 2), _count(segment, 3), _count(segment, 4))
                reasons += _meanings("716", segment, 5)
            case _:
                at = _read_inside(segment, at, sets)
    return Acknowledgement(functional_id, group_control, result, sets, reasons, counts)


def _read_inside(segment: Segment, at: Segment | None, sets: list[SetAcknowledgement]) -> Segment | None:
    """Add what a segment between AK2 and AK9 says; returns the AK3 that following AK4 belong to."""
    if not sets:
        return at
    match segment.tag:
        case "AK3" | "IK3":
            sets[-1].reasons.extend(_segment_reason(segment))
            return segment
        case "AK4" | "IK4":
            sets[-1].reasons.append(_element_reason(segment, at))
        case "CTX":
            sets[-1].reasons.append("Context: " + " ".join(filter(None, (value.strip() for value in segment.elements))))
        case "AK5" | "IK5":
            last = sets.pop()
            number = "718" if segment.tag == "AK5" else "618"
            sets.append(SetAcknowledgement(last.set_id, last.control, segment.get(1), last.reasons + _meanings(number, segment, 2)))
    return at


def _segment_reason(segment: Segment) -> list[str]:
    code = segment.get(4)
    place = f"Segment {segment.get(2) or '?'} ({segment.get(1) or '?'})"
    if segment.get(3):
        place += f" in loop {segment.get(3)}"
    if code == "8":  # its elements follow
        return []
    return [f"{place}: {_meaning('720' if segment.tag == 'AK3' else '620', code)}"]


def _element_reason(segment: Segment, at: Segment | None) -> str:
    position = segment.components(1)
    tag, ordinal = (at.get(1), at.get(2)) if at is not None else ("?", "?")
    number = int(position[0]) if position[0].isdecimal() and position[0].isascii() and len(position[0]) < 4 else 0
    place = f"Segment {ordinal} ({tag}), element {position[0].zfill(2)}"
    if len(position) > 1 and position[1]:
        place += f" component {position[1]}"
    name = dictionary.element_name(tag, number)
    if name:
        place += f" ({name})"
    words = _meaning("723" if segment.tag == "AK4" else "621", segment.get(3))
    return f"{place}: {words}" + (f", found '{segment.get(4)}'" if segment.get(4) else "")


def read_ta1(segment: Segment) -> InterchangeAcknowledgement:
    """A received TA1."""
    code = segment.get(5)
    return InterchangeAcknowledgement(
        control=segment.get(1).zfill(9),
        date=segment.get(2),
        time=segment.get(3),
        result=segment.get(4),
        code=code,
        meaning=_meaning("I18", code),
    )


def _meanings(number: str, segment: Segment, first: int) -> list[str]:
    codes = [segment.get(at) for at in range(first, first + _MOST_CODES)]
    return [_meaning(number, code) for code in codes if code]


def _meaning(number: str, code: str) -> str:
    return dictionary.code_meaning(number, code) or (f"code {code}" if code else "no reason given")


def _count(segment: Segment, element: int) -> int | None:
    text = segment.get(element)
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else None
