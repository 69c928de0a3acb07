"""What a file says in business words: which documents, about which return, which goods, how many, in what state.

No profile is needed: facts are told from where the standard puts them (x12 section 7, edifact section 4), and nothing is decided from them. What a
partner's profile makes of a document is `inbound`'s business. A kind of document that gets words of its own gets a line in a table here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from gateway.edi import acknowledge, dictionary, edifact, edifact_tables, flatfile, x12
from gateway.edi.syntax import Finding

_HEAD = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One document: what it is, its facts as (name, value), its lines in words, and what the reader found."""

    what: str
    facts: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()
    findings: Sequence[Finding] = field(default=())

    def text(self) -> Iterator[str]:
        """The document in plain lines."""
        yield self.what
        for name, value in self.facts:
            yield f"  {name}: {value}"
        for line in self.lines:
            yield f"  - {line}"


class _Kind(NamedTuple):
    """Where an X12 set says what: facts by places, a line by its tag, quantity and unit, item pairs, and what qualifies a quantity."""

    name: str
    facts: tuple[tuple[str, tuple[str, ...]], ...]
    line: str
    quantity: tuple[str, int, int]  # segment, quantity, unit
    items: tuple[str, tuple[int, ...]]  # segment, elements of the qualifiers
    marks: tuple[tuple[str, int, int, str], ...] = ()  # segment, quantity, code, its element number


_RETURN = ("N9*RZ", "N9*QJ", "REF*RZ", "REF*QJ")
_OTHERS = (("tracking number", ("N9*2I", "REF*2I", "N9*CN", "REF*CN")), ("order", ("N9*CO", "REF*CO", "N9*PO", "REF*PO", "PRF-01")))
_KINDS = {
    "944": _Kind(
        "warehouse receipt",
        (("receipt", ("W17-03",)), ("received on", ("W17-02",)), ("return", ("W17-04", *_RETURN)), *_OTHERS, ("total", ("W14-01",))),
        "W07", ("W07", 1, 2), ("W07", (4, 6, 10)), (("W13", 1, 3, "412"),),
    ),
    "943": _Kind(
        "return announcement", (("return", ("W06-02", *_RETURN)), ("date", ("W06-03",)), *_OTHERS, ("total", ("W03-01",))),
        "W04", ("W04", 1, 2), ("W04", (4, 6, 14)),
    ),
    "856": _Kind(
        "return announcement", (("return", ("BSN-02", *_RETURN)), ("purpose", ("BSN-01",)), ("date", ("BSN-03",)), *_OTHERS),
        "LIN", ("SN1", 2, 3), ("LIN", (2, 4, 6)),
    ),
    "180": _Kind(
        "return authorization", (("return", ("BGN-02", *_RETURN)), ("purpose", ("BGN-01",)), ("date", ("BGN-03",)), *_OTHERS),
        "BLI", ("BLI", 3, 4), ("BLI", (1, 8, 10, 12)), (("RDR", 0, 2, "1293"),),
    ),
    "861": _Kind(
        "receiving advice", (("receipt", ("BRA-01",)), ("date", ("BRA-02",)), ("return", _RETURN), *_OTHERS),
        "RCD", ("RCD", 2, 3), ("LIN", (2, 4, 6)), (("RCD", 6, 8, "412"), ("RCD", 9, 11, "412")),
    ),
    "940": _Kind(
        "warehouse order", (("order", ("W05-02",)), ("status", ("W05-01",)), ("return", _RETURN), ("total", ("W76-01",))),
        "W01", ("W01", 1, 2), ("W01", (4, 6)),
    ),
    "947": _Kind(
        "stock adjustment", (("adjustment", ("W15-02",)), ("date", ("W15-01",)), ("return", _RETURN)),
        "W19", ("W19", 2, 3), ("W19", (5, 7)), (("W19", 0, 1, "181"),),
    ),
}  # fmt: skip
_OTHER_KINDS = {
    "846": "inventory report", "945": "shipping advice", "824": "application advice", "997": "acknowledgement", "999": "acknowledgement",
    "850": "purchase order", "810": "invoice", "812": "credit or debit adjustment",
}  # fmt: skip
_MESSAGES = {
    "DESADV": "despatch advice", "RETANN": "return announcement", "RECADV": "receiving advice", "INVRPT": "inventory report",
    "CONTRL": "acknowledgement", "APERAK": "application error and acknowledgement",
}  # fmt: skip
_ACCEPTED = {
    "A": "accepted",
    "E": "accepted, errors noted",
    "P": "partly accepted",
    "R": "rejected",
    "M": "rejected",
    "W": "rejected",
    "X": "rejected",
}


def tell(chunks: Iterable[bytes]) -> Iterator[Told]:
    """The documents of a file of any kind, in its order."""
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= _HEAD:
            break
    whole = chain([head], source)
    match x12.sniff(head):
        case "x12":
            yield from _tell_x12(whole)
        case "edifact":
            yield from _tell_edifact(whole)
        case "text":
            yield _tell_flat(whole)
        case "empty":
            yield Told(what="An empty file.")
        case _:
            yield Told(what="A binary file, which says nothing to the gateway.")


def _tell_x12(chunks: Iterable[bytes]) -> Iterator[Told]:
    for event in x12.read_sets(chunks):
        match event:
            case x12.TransactionSet():
                yield _tell_set(event)
            case x12.InterchangeAck():
                answer = acknowledge.read_ta1(event.segment)
                facts = (("interchange", answer.control), ("answer", _ACCEPTED.get(answer.result, answer.result)), ("reason", answer.meaning))
                yield Told(what="Acknowledgement of an interchange (TA1)", facts=facts)
            case x12.FileFinding():
                yield Told(what="Outside every interchange", findings=(event.finding,))
            case x12.InterchangeStart() | x12.GroupEnd() | x12.InterchangeEnd() if event.findings:
                yield Told(what="About the envelope", findings=event.findings)


def _tell_set(document: x12.TransactionSet) -> Told:
    kind = _KINDS.get(document.set_id)
    name = kind.name if kind else _OTHER_KINDS.get(document.set_id, "document of a kind that is not known here")
    state = "accepted" if document.accepted else "not accepted"
    what = f"{name[:1].upper()}{name[1:]} ({document.set_id} {document.control}) from {document.interchange.sender}: {state}"
    if document.set_id in ("997", "999"):
        return Told(what=what, facts=_acknowledged(document), findings=document.findings)
    if document.set_id == "824":
        return Told(what=what, lines=_advised(document), findings=document.findings)
    if kind is None:
        return Told(what=what, findings=document.findings)
    facts = tuple((label, value) for label, places in kind.facts if (value := _first(document.segments, places)))
    lines = tuple(_line(part, kind) for part in _parts(document.segments, kind.line))
    return Told(what=what, facts=facts, lines=lines, findings=document.findings)


def _acknowledged(document: x12.TransactionSet) -> tuple[tuple[str, str], ...]:
    answer = acknowledge.read_acknowledgement(document)
    facts = [(f"group {answer.functional_id} {answer.group_control}", _ACCEPTED.get(answer.group_result, answer.group_result))]
    for one in answer.sets:
        reasons = "; ".join(one.reasons)
        facts.append((f"set {one.set_id} {one.control}", _ACCEPTED.get(one.result, one.result) + (f": {reasons}" if reasons else "")))
    return tuple(facts)


def _advised(document: x12.TransactionSet) -> tuple[str, ...]:
    advice = acknowledge.read_application_advice(document)
    told = []
    for item in advice.items:
        errors = "; ".join(error.text or error.code for error in item.errors)
        told.append(f"{item.result} {item.reference}".strip() + (f": {errors}" if errors else ""))
    return tuple(told)


def _first(segments: Sequence[x12.Segment], places: Iterable[str]) -> str:
    """The first value that stands at one of the places, `W17-04` or `N9*RZ`."""
    for place in places:
        tag, _, qualifier = place.partition("*")
        tag, _, element = tag.partition("-")
        found = [segment for segment in segments if segment.tag == tag and (not qualifier or segment.get(1) == qualifier)]
        value = next((segment.get(int(element or 2)) for segment in found if segment.get(int(element or 2))), "")
        if value:
            return value
    return ""


def _parts(segments: Sequence[x12.Segment], tag: str) -> list[list[x12.Segment]]:
    parts: list[list[x12.Segment]] = []
    for segment in segments:
        if segment.tag == tag:
            parts.append([segment])
        elif parts:
            parts[-1].append(segment)
    return parts


def _line(part: list[x12.Segment], kind: _Kind) -> str:
    tag, at, unit = kind.quantity
    counted = next((segment for segment in part if segment.tag == tag), None)
    words = f"{counted.get(at)} {counted.get(unit)}".strip() if counted else "?"
    told = [f"{words} of {_item(part, kind) or 'an item that is not named'}"]
    for mark, quantity, code, number in kind.marks:
        for segment in part:
            if segment.tag == mark and segment.get(code):
                many = f"{segment.get(quantity)} " if quantity else ""
                told.append(f"{many}{(dictionary.code_meaning(number, segment.get(code)) or f'code {segment.get(code)}').lower()}")
    return ", ".join(told)


def _item(part: list[x12.Segment], kind: _Kind) -> str:
    tag, places = kind.items
    named = next((segment for segment in part if segment.tag == tag), None)
    pairs = [(named.get(at), named.get(at + 1)) for at in places if named.get(at + 1)] if named else []
    case_code = named.get(3) if named and tag in ("W07", "W04", "W01") else ""
    return " / ".join([f"{value} ({qualifier})" for qualifier, value in pairs] + ([case_code] if case_code else []))


def _tell_edifact(chunks: Iterable[bytes]) -> Iterator[Told]:
    for event in edifact.read_messages(chunks):
        match event:
            case edifact.Message():
                yield _tell_message(event)
            case edifact.FileFinding():
                yield Told(what="Outside every interchange", findings=(event.finding,))
            case edifact.InterchangeStart() | edifact.GroupEnd() | edifact.InterchangeEnd() if event.findings:
                yield Told(what="About the envelope", findings=event.findings)


def _tell_message(message: edifact.Message) -> Told:
    name = _MESSAGES.get(message.message_type, "message of a kind that is not known here")
    state = "accepted" if message.accepted else "not accepted"
    what = f"{name[:1].upper()}{name[1:]} ({message.message_type} {message.control}) from {message.interchange.sender}: {state}"
    heading: list[edifact.Segment] = []
    parts: list[list[edifact.Segment]] = []
    for segment in message.segments:
        if segment.tag == "LIN":
            parts.append([])
        (parts[-1] if parts else heading).append(segment)
    facts = [(_edifact_name(segment), _edifact_value(segment)) for segment in heading if segment.tag in ("BGM", "DTM", "RFF", "NAD")]
    return Told(
        what=what,
        facts=tuple((label, value) for label, value in facts if value),
        lines=tuple(_edifact_line(part) for part in parts),
        findings=message.findings,
    )


_NAMED_BY = {"BGM": "1001", "DTM": "2005", "RFF": "1153", "NAD": "3035", "QTY": "6063", "QVR": "4221"}


def _edifact_name(segment: edifact.Segment) -> str:
    qualifier = segment.get(1)
    return (edifact_tables.code_meaning(_NAMED_BY[segment.tag], qualifier) or f"{segment.tag} {qualifier}").lower()


def _edifact_value(segment: edifact.Segment) -> str:
    return segment.get(2) if segment.tag in ("BGM", "NAD") else segment.get(1, 2)


def _edifact_line(part: list[edifact.Segment]) -> str:
    items = [segment.get(3) for segment in part if segment.tag == "LIN"] + [segment.get(2) for segment in part if segment.tag == "PIA"]
    counted = [f"{segment.get(1, 2)} {_edifact_name(segment)}" for segment in part if segment.tag == "QTY"]
    return f"{', '.join(counted) or '?'} of {' / '.join(filter(None, items)) or 'an item that is not named'}"


def _tell_flat(chunks: Iterable[bytes]) -> Told:
    """A table, by the names of its own columns."""
    names: dict[str, tuple[str | int, ...]] = {str(n): (n,) for n in range(1, 100)}
    layout = flatfile.Layout(columns=names, delimiter="", has_header=False)
    read = list(flatfile.read_rows(chunks, layout))
    rows = [row for row in read if isinstance(row, flatfile.Row)]
    findings = tuple(each for each in read if isinstance(each, Finding))
    if not rows:
        return Told(what="Text without rows", findings=findings)
    header = list(rows[0].values.values())
    lines = ["; ".join(f"{name} {value}" for name, value in zip(header, row.values.values(), strict=False) if value) for row in rows[1:]]
    return Told(what=f"A table with {len(header)} columns and {len(rows) - 1} row(s): {', '.join(header)}", lines=tuple(lines), findings=findings)
