"""CONTRL and APERAK: what is said about the syntax and about the business of a message, both ways.

A CONTRL (ISO 9735-4, UCI UCM UCS UCD) names the interchange it answers by the UNB's own reference and parties, sender first. Action 7 says
that all was taken but for the messages named with a 4; 4 rejects all; 8 says only that the interchange came. A CONTRL is never answered by
a CONTRL. An APERAK says of a readable document that its business makes no sense, as the 824 does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.edi import edifact_tables
from gateway.edi.edifact_parts import GroupHeader, InterchangeHeader, Message, Segment
from gateway.edi.edifact_write import Element, clean
from gateway.edi.syntax import Finding, has_error

REJECTED, ACKNOWLEDGED, RECEIVED = "4", "7", "8"
_LONGEST_TEXT = 70
_MOST_ERRORS = 999
_MOST_LINES = 5


@dataclass(frozen=True, slots=True)
class MessageResult:
    """What came of one received message."""

    control: str
    identity: tuple[str, ...]  # type, version, release, agency
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class MessageAnswer:
    """A partner's word on one message of ours: rejected (4) or acknowledged (7), and why."""

    control: str
    message_type: str
    action: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InterchangeAnswer:
    """A partner's CONTRL: the reference and parties of our interchange, the action (4, 7 or 8), why, and the messages it names."""

    control: str
    sender: str
    recipient: str
    action: str
    reasons: tuple[str, ...]
    messages: tuple[MessageAnswer, ...]

    def action_for(self, control: str) -> str:
        """What is said of one message: one that is not named shares the lot of the interchange."""
        named = next((each.action for each in self.messages if each.control == control), self.action)
        return REJECTED if self.action == REJECTED else named


@dataclass(frozen=True, slots=True)
class ApplicationError:
    """One error of an APERAK: its code, words, and a reference (qualifier, number) to what it is about."""

    code: str
    text: str = ""
    reference: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ApplicationAnswer:
    """An APERAK: its number and day, the references of the document it answers (ACW is its message), and the errors; none is an acceptance."""

    number: str
    date: str
    references: tuple[tuple[str, str], ...] = ()
    errors: tuple[ApplicationError, ...] = ()
    function: str = "9"


def result_of(message: Message) -> MessageResult:
    """The result of a message that was read."""
    opening = message.segments[0]
    identity = tuple(opening.get(2, at) for at in range(1, 5))
    return MessageResult(message.control, identity, message.findings)


def write_contrl(
    header: InterchangeHeader, results: Sequence[MessageResult], findings: Sequence[Finding] = (), group: GroupHeader | None = None
) -> list[list[Element]]:
    """The body of a CONTRL for a received interchange; a group that is given names the messages as its own."""
    errors = [finding for finding in findings if finding.ack_kind == "UCI" and finding.ack]
    rejected = has_error(list(findings))
    first = next((each.ack for each in errors if each.severity == "error"), errors[0].ack if errors else None) or ""
    parties: list[Element] = [[header.sender, header.sender_qualifier], [header.recipient, header.recipient_qualifier]]
    uci: list[Element] = ["UCI", header.control, *parties, REJECTED if rejected else ACKNOWLEDGED]
    if first and rejected:
        uci.append(first)
    body = [uci]
    if rejected:
        return body
    if group is not None:
        body.append(["UCF", group.control, group.sender, group.recipient, ACKNOWLEDGED])
    for result in results:
        if has_error(list(result.findings)):
            body += _reject(result)
    return body


def write_receipt(header: InterchangeHeader) -> list[list[Element]]:
    """The body of a CONTRL that only says that the interchange has come."""
    parties: list[Element] = [[header.sender, header.sender_qualifier], [header.recipient, header.recipient_qualifier]]
    return [["UCI", header.control, *parties, RECEIVED]]


def _reject(result: MessageResult) -> list[list[Element]]:
    whole = [finding.ack for finding in result.findings if finding.ack_kind == "UCM" and finding.severity == "error" and finding.ack]
    ucm: list[Element] = ["UCM", result.control, list(result.identity), REJECTED, *whole[:1]]
    body = [ucm]
    inside = [finding for finding in result.findings if finding.ack_kind in ("UCS", "UCD") and finding.segment]
    for ordinal, group in groupby(inside, key=lambda finding: finding.segment):
        together = list(group)
        own = next((finding.ack for finding in together if finding.ack_kind == "UCS"), None)
        body.append(["UCS", str(ordinal), *([own] if own else [])])
        # The segment tag counts as the first position (S011), so that element 1 stands at 2.
        places = [finding for finding in together if finding.ack_kind == "UCD" and finding.element]
        for finding in places[:99]:
            place = [str((finding.element or 0) + 1), *([str(finding.component)] if finding.component else [])]
            body.append(["UCD", finding.ack or "18", place])
    return body[:_MOST_ERRORS]


def read_contrl(message: Message) -> InterchangeAnswer:
    """A received CONTRL; what it does not say is left empty."""
    control = sender = recipient = action = ""
    reasons: list[str] = []
    messages: list[tuple[Segment, list[str]]] = []
    place = "?"
    for segment in message.segments:
        match segment.tag:
            case "UCI":
                control, sender, recipient, action = (segment.get(at) for at in range(1, 5))
                reasons += _reason("The interchange", segment.get(5))
            case "UCF":
                reasons += _reason(f"Group {segment.get(1)}", segment.get(5))
            case "UCM":
                messages.append((segment, _reason("The message", segment.get(4))))
            case "UCS" if messages:
                place = f"Segment {segment.get(1) or '?'}"
                messages[-1][1].extend(_reason(place, segment.get(2)))
            case "UCD" if messages:
                messages[-1][1].extend(_reason(f"{place}, {_place(segment)}", segment.get(1)))
    answers = tuple(MessageAnswer(each.get(1), each.get(2), each.get(3), tuple(why)) for each, why in messages)
    return InterchangeAnswer(control, sender, recipient, action, tuple(reasons), answers)


def _place(segment: Segment) -> str:
    at = segment.get(2)
    words = "the tag" if at == "1" else f"element {int(at) - 1:02d}" if at.isdecimal() and at.isascii() and len(at) < 4 else "an element"
    return words + (f" component {segment.get(2, 2)}" if segment.get(2, 2) else "")


def _reason(place: str, code: str) -> list[str]:
    return [f"{place}: {edifact_tables.code_meaning('0085', code) or f'code {code}'}"] if code else []


def write_aperak(answer: ApplicationAnswer, syntax: str = "UNOC") -> list[list[Element]]:
    """The body of an APERAK; document code 312 accepts, 313 reports errors."""
    body: list[list[Element]] = [["BGM", "313" if answer.errors else "312", answer.number, answer.function]]
    body.append(["DTM", ["137", answer.date, "102" if len(answer.date) == 8 else "203"]])
    body += [["RFF", [qualifier, clean(number, syntax)[:35]]] for qualifier, number in answer.references]
    for error in answer.errors:
        body.append(["ERC", error.code])
        text = clean(error.text, syntax)
        lines = [text[at : at + _LONGEST_TEXT] for at in range(0, len(text), _LONGEST_TEXT)][:_MOST_LINES]
        if lines:
            body.append(["FTX", "AAO", "", "", lines])
        if error.reference:
            body.append(["RFF", [error.reference[0], clean(error.reference[1], syntax)[:35]]])
    return body


def read_aperak(message: Message) -> ApplicationAnswer:
    """A received APERAK; texts of one error are joined, its first reference is kept."""
    number = date = function = ""
    references: list[tuple[str, str]] = []
    errors: list[tuple[str, list[str], list[tuple[str, str]]]] = []
    for segment in message.segments:
        match segment.tag:
            case "BGM":
                number, function = segment.get(2), segment.get(3)
            case "DTM" if segment.get(1) == "137" and not date:
                date = segment.get(1, 2)
            case "ERC":
                errors.append((segment.get(1), [], []))
            case "FTX" if errors:
                errors[-1][1].extend(filter(None, segment.components(4)))
            case "RFF":
                (errors[-1][2] if errors else references).append((segment.get(1), segment.get(1, 2)))
    made = tuple(ApplicationError(code, "".join(texts), found[0] if found else None) for code, texts, found in errors)
    return ApplicationAnswer(number, date, tuple(references), made, function)
