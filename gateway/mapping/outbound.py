"""An RA as the bytes a partner gets, by profile and template.

The template writes the body of one set, segment by segment; nothing it prints can break the format, since every value passes `finalize`. Envelope, control
numbers and counts are added here. The result is read back by our own reader and checker, and compared with the RA, before anyone commits it: a broken
template cannot reach a partner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import TemplateError

from gateway.domain.documents import Authorization
from gateway.edi import dictionary_words, x12, x12_write
from gateway.edi.syntax import Severity
from gateway.errors import PermanentError
from gateway.mapping import sandbox
from gateway.mapping.profiles import Profile, X12Identity

FUNCTIONAL_IDS = {"856": "SH", "943": "AR", "180": "AN", "997": "FA", "999": "FA", "824": "AG"}
PURPOSES = {
    "856": {"original": "00", "change": "05", "cancel": "01"},  # BSN01
    "180": {"original": "00", "change": "05", "cancel": "01"},  # BGN01
    "943": {"original": "", "change": "2", "cancel": "3"},  # W06-12, by agreement
    "desadv": {"original": "9", "change": "5", "cancel": "1"},  # BGM 1225
    "retann": {"original": "9", "change": "5", "cancel": "1"},
    "csv": {"original": "00", "change": "05", "cancel": "01"},
    "fixed": {"original": "00", "change": "05", "cancel": "01"},
    "xlsx": {"original": "00", "change": "05", "cancel": "01"},
}
VALUE_FAULTS = frozenset(dictionary_words.ELEMENT_CODES[ack] for ack in "456789")  # length, type, code, date and time of a value that is there
LINE_QUANTITIES = {"856": ("SN1", 2), "943": ("W04", 1), "180": ("BLI", 3)}


class UnsendableError(PermanentError):
    """A document does not validate against the partner's rules and is not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The control numbers of one file."""

    interchange: int
    group: int


def to_x12(ras: Sequence[Authorization], *, profile: Profile, template: str, controls: Controls, purpose: str, at: datetime) -> bytes:
    """RAs as one X12 interchange with a set for each, checked."""
    identity = _identity(profile)
    separators = separators_of(identity)
    finalize = _finalizer(profile, separators)
    sets: list[tuple[str, str, list[list[str]]]] = []
    for place, ra in enumerate(ras, start=1):
        text = render(template, ra, profile=profile, purpose=purpose, at=at, finalize=finalize)
        body = x12.parse_body(text)
        sets.append((profile.send.document, set_control(place), _closed(body, profile)))
    header = envelope(identity, functional_id=FUNCTIONAL_IDS[profile.send.document], controls=controls, at=at)
    try:
        content = x12.write_interchange(header=header, sets=sets)
    except x12.UnwritableValue as fault:
        raise UnsendableError(f"{ras[0].ra}: {fault.message} Correct templates/{profile.send.template} or the item's data") from fault
    check_sendable(content, ras, profile=profile)
    return content


def set_control(place: int) -> str:
    """The set control number (ST02) of the RA at a place in its file, from 1."""
    return f"{place:04d}"


def _identity(profile: Profile) -> X12Identity:
    if profile.x12 is None:
        raise UnsendableError(f"{profile.partner} has no [x12] part in its profile")
    return profile.x12


def separators_of(identity: X12Identity) -> x12.Separators:
    """The delimiters that a partner gets."""
    return x12.Separators(
        element=identity.element.encode(),
        component=identity.component.encode(),
        repetition=identity.repetition.encode() or None,
        terminator=identity.terminator.encode(),
    )


def envelope(identity: X12Identity, *, functional_id: str, controls: Controls, at: datetime) -> x12.Envelope:
    """The envelope of a file to a partner."""
    return x12.Envelope(
        sender_qualifier=identity.our_qualifier,
        sender=identity.our_id,
        receiver_qualifier=identity.partner_qualifier,
        receiver=identity.partner_id,
        group_sender=identity.our_group or identity.our_id,
        group_receiver=identity.partner_group or identity.partner_id,
        functional_id=functional_id,
        version=identity.version,
        usage=identity.usage,
        interchange_control=controls.interchange,
        group_control=controls.group,
        at=at,
        separators=separators_of(identity),
        line_break=identity.line_break,
    )


def _finalizer(profile: Profile, separators: x12.Separators) -> Callable[[Any], str]:
    """What makes a value one that may stand in a segment: separators and control characters replaced, or refused, as the profile says."""
    delimiters = "".join(byte.decode("latin-1") for byte in separators if byte)
    odd = re.compile(f"[^ -~]|[{re.escape(delimiters)}*]").search
    refuse = profile.send.forbidden == "refuse"

    def finalize(value: Any) -> str:
        text = "" if value is None else str(value)
        cleaned = x12.clean(text.replace("*", " "), separators) if odd(text) else text.strip()
        if refuse and cleaned != text:
            raise UnsendableError(f"the value {text!r} holds a character that {profile.partner} must not get (separator or control character)")
        return cleaned

    return finalize


def render(template: str, ra: Authorization, *, profile: Profile, purpose: str, at: datetime, finalize: Callable[[Any], str]) -> str:
    """The template's text for one RA; every value it prints goes through `finalize`."""
    facts = {
        "ra": ra,
        "profile": profile,
        "purpose": purpose_code(profile, purpose),
        "at": at,
        "created_at": ra.created_at,
        sandbox.FINALIZE: finalize,
    }
    try:
        return sandbox.document(template).render(facts)
    except TemplateError as fault:
        raise UnsendableError(f"templates/{profile.send.template}: {fault}; correct the template, the RA waits") from fault


def purpose_code(profile: Profile, purpose: str) -> str:
    """The code of a purpose in the partner's document: the profile's own, or the document's."""
    return str(getattr(profile.send.purposes, purpose)) or PURPOSES[profile.send.document][purpose]


def _closed(body: list[list[str]], profile: Profile) -> list[list[str]]:
    """The body with the totals that its set ends with."""
    close = CLOSINGS.get(profile.send.document)
    try:
        return [*body, close(body)] if close else body
    except (ValueError, IndexError) as fault:
        raise UnsendableError(
            f"templates/{profile.send.template}: a quantity it prints is no whole number ({fault}); correct the template"
        ) from fault


def _ctt(body: list[list[str]]) -> list[str]:
    """CTT of an 856: the number of HL segments and the sum of SN102 (x12 section 7.3)."""
    levels = sum(1 for segment in body if segment[0] == "HL")
    units = sum(int(segment[2]) for segment in body if segment[0] == "SN1")
    return ["CTT", str(levels), str(units)]


def _w03(body: list[list[str]]) -> list[str]:
    """W03 of a 943: the sum of W04-01 (x12 section 7.2)."""
    return ["W03", str(sum(int(segment[1]) for segment in body if segment[0] == "W04"))]


CLOSINGS = {"856": _ctt, "943": _w03}


def check_lengths(ras: Sequence[Authorization], *, profile: Profile) -> None:
    """No RA number is longer than the partner's shortest reference field."""
    for ra in ras:
        if len(ra.ra) > profile.send.ra_limit:
            raise UnsendableError(
                f"the RA number {ra.ra} has {len(ra.ra)} characters, {profile.partner}'s shortest reference field holds {profile.send.ra_limit}"
            )


def check_sendable(content: bytes, ras: Sequence[Authorization], *, profile: Profile) -> None:
    """Read back what was written: no error finding and no value against its table, and in each set its RA number and every unit.

    What is only noted in a partner's file (a value too long, of the wrong type, not in its list) is not sent, unless the profile waives it.
    """
    check_lengths(ras, profile=profile)
    sets: list[x12.TransactionSet] = []
    strictness = x12.Strictness(waived=frozenset(profile.receive.waived), raised=VALUE_FAULTS)
    for event in x12.read_sets([content], strictness=strictness):
        for finding in getattr(event, "findings", ()):
            if finding.severity == Severity.ERROR:
                place = min(len(sets), len(ras) - 1)
                raise UnsendableError(
                    f"{ras[place].ra}: {finding.where()}: {finding.message}. Correct templates/{profile.send.template} or the item's data"
                )
        if isinstance(event, x12.TransactionSet):
            sets.append(event)
    for ra, read in zip(ras, sets, strict=True):
        _compare(ra, read, profile=profile)


def _compare(ra: Authorization, read: x12.TransactionSet, *, profile: Profile) -> None:
    tag, element = LINE_QUANTITIES[profile.send.document]
    segments = read.plain()
    units = sum(int(segment[element]) for segment in segments if segment[0] == tag)
    named = any(ra.ra in segment for segment in segments)
    if not named or units != ra.units:
        raise UnsendableError(
            f"{ra.ra}: read back, the document {'names the RA' if named else 'does not name the RA'} and has {units} units instead of {ra.units}; "
            f"correct templates/{profile.send.template}"
        )


def file_name(pattern: str, *, partner: str, ra: str, document: str, controls: Controls | None, number: int, at: datetime) -> str:  # noqa: PLR0913
    """The name of a file by the profile's pattern."""
    control = f"{controls.interchange:09d}" if controls else f"{number:09d}"
    tokens = {
        "partner": partner,
        "document": document,
        "ra": ra,
        "date": f"{at:%Y%m%d}",
        "time": f"{at:%H%M%S}",
        "sequence": f"{number:06d}",
        "control": control,
    }
    try:
        return pattern.format(**tokens)
    except (KeyError, IndexError, ValueError) as fault:
        raise UnsendableError(f"{partner}: the file name {pattern!r} has an unknown token {fault}; known: {', '.join(tokens)}") from fault


def to_answer(document: str, segments: list[list[str]], *, profile: Profile, controls: Controls, at: datetime) -> bytes:
    """An interchange around the body of one answer: a 997, 999 or 824."""
    header = envelope(_identity(profile), functional_id=FUNCTIONAL_IDS[document], controls=controls, at=at)
    return x12.write_interchange(header=header, sets=[(document, "0001", segments)])


def to_ta1(segment: list[str], *, profile: Profile, controls: Controls, at: datetime) -> bytes:
    """An interchange that holds one TA1."""
    return x12_write.write_acknowledgement(header=envelope(_identity(profile), functional_id="FA", controls=controls, at=at), segments=[segment])


def words(template: str, facts: dict[str, Any], *, longest: int | None = None) -> str:
    """A sentence or page from a template, on one line when `longest` is given and cut there at a word, never inside a number."""
    text = sandbox.text(template).render(facts)
    if longest is None:
        return text
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    tail = " … (more in the gateway)"
    return line[: longest - len(tail)].rsplit(" ", 1)[0].rstrip(",;:") + tail
