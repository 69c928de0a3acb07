"""An RA as EDIFACT: DESADV or RETANN by template, CONTRL and APERAK from findings.

The template writes the body of one message, segment by segment, `+` between elements and `:` between components; what it prints is cleaned to the
partner's character set and released. UNB, UNH, CNT, UNT and UNZ are made here. What was written is read back by our own reader and compared with the RA.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway.domain.documents import Authorization
from gateway.edi import edifact
from gateway.edi.edifact_write import Element
from gateway.edi.syntax import Severity
from gateway.mapping import outbound
from gateway.mapping.outbound import Controls, UnsendableError
from gateway.mapping.profile_parts import EdifactIdentity
from gateway.mapping.profiles import Profile

ANNOUNCED = frozenset({"12", "21", "61"})  # 6063: despatched, ordered, returned
_RELEASED = re.compile(r"[?+:']")
ANSWER_VERSIONS = {"CONTRL": "D:3:UN", "APERAK": "D:96A:UN"}


def to_edifact(ras: Sequence[Authorization], *, profile: Profile, template: str, controls: Controls, purpose: str, at: datetime) -> bytes:
    """RAs as one interchange with a message for each, checked."""
    identity = identity_of(profile)
    name = profile.send.document.upper()
    messages = []
    for place, ra in enumerate(ras, start=1):
        text = outbound.render(template, ra, profile=profile, purpose=purpose, at=at, finalize=lambda v: _finalize(v, profile, identity))
        messages.append((outbound.set_control(place), f"{name}:{identity.version}", _closed(edifact.parse_body(text), name)))
    content = _write(identity, messages, controls=controls, at=at, profile=profile)
    outbound.check_lengths(ras, profile=profile)
    _check_read_back(content, ras, profile=profile)
    return content


def identity_of(profile: Profile) -> EdifactIdentity:
    """The EDIFACT part of a profile."""
    if profile.edifact is None:
        raise UnsendableError(f"{profile.partner} has no [edifact] part in its profile")
    return profile.edifact


def envelope(identity: EdifactIdentity, *, controls: Controls, at: datetime, ack_requested: bool = False) -> edifact.Envelope:
    """The envelope of a file to a partner."""
    return edifact.Envelope(
        sender=identity.our_id,
        sender_qualifier=identity.our_qualifier,
        recipient=identity.partner_id,
        recipient_qualifier=identity.partner_qualifier,
        control=str(controls.interchange),
        at=at,
        syntax=identity.syntax,
        syntax_version=identity.syntax_version,
        application=identity.application,
        ack_requested=ack_requested,
        test=identity.usage == "T",
        delimiters=edifact.Delimiters(
            component=identity.component.encode(),
            element=identity.element.encode(),
            decimal=identity.decimal.encode(),
            release=identity.release.encode() or None,
            terminator=identity.terminator.encode(),
        ),
        line_break=identity.line_break,
        service_string=identity.service_string,
    )


def _write(identity: EdifactIdentity, messages: list[tuple[str, str, Any]], *, controls: Controls, at: datetime, profile: Profile) -> bytes:
    try:
        return edifact.write_interchange(header=envelope(identity, controls=controls, at=at, ack_requested=identity.ack_requested), messages=messages)
    except edifact.UnwritableValue as fault:
        raise UnsendableError(f"{fault.message} Correct templates/{profile.send.template}, or edifact.syntax") from fault


def _finalize(value: Any, profile: Profile, identity: EdifactIdentity) -> str:
    """A value as it may stand in a segment: what the character set has not is folded or refused, delimiters are released."""
    text = "" if value is None else str(value)
    cleaned = edifact.clean(text, identity.syntax)
    if profile.send.forbidden == "refuse" and cleaned != text:
        raise UnsendableError(
            f"the value {text!r} holds a character that {identity.syntax} has not, and {profile.partner} must not get a replacement"
        )
    return _RELEASED.sub(lambda found: "?" + found[0], cleaned)


def _closed(body: list[list[Element]], name: str) -> list[list[Element]]:
    """The body with CNT (number of LIN), and in a RETANN the UNS before it."""
    lines = sum(1 for segment in body if segment[0] == "LIN")
    section: list[list[Element]] = [["UNS", "S"]] if name == "RETANN" else []
    total: list[Element] = ["CNT", ["2", str(lines)]]
    return [*body, *section, total]


def _check_read_back(content: bytes, ras: Sequence[Authorization], *, profile: Profile) -> None:
    read: list[edifact.Message] = []
    for event in edifact.read_messages([content]):
        for finding in getattr(event, "findings", ()):
            if finding.severity == Severity.ERROR:
                number = ras[min(len(read), len(ras) - 1)].ra
                raise UnsendableError(f"{number}: {finding.where()}: {finding.message} Correct templates/{profile.send.template} or the item's data")
        if isinstance(event, edifact.Message):
            read.append(event)
    for ra, message in zip(ras, read, strict=True):
        _compare(ra, message, profile=profile)


def _compare(ra: Authorization, message: edifact.Message, *, profile: Profile) -> None:
    named = any(segment.tag == "BGM" and segment.get(2) == ra.ra for segment in message.segments)
    quantities = [segment.get(1, 2) for segment in message.segments if segment.tag == "QTY" and segment.get(1) in ANNOUNCED]
    units = sum(int(quantity) for quantity in quantities if quantity.isdecimal())
    if not named or units != ra.units or len(quantities) != len(ra.lines):
        raise UnsendableError(
            f"{ra.ra}: read back, the document {'names the RA' if named else 'does not name the RA in its BGM'} and has {units} units instead of {ra.units}; "
            f"correct templates/{profile.send.template}"
        )


def to_answer(document: str, body: Sequence[Sequence[Element]], *, profile: Profile, controls: Controls, at: datetime) -> bytes:
    """An interchange around one CONTRL or APERAK."""
    identity = identity_of(profile)
    version = "4:1:UN" if document == "CONTRL" and identity.syntax_version == "4" else ANSWER_VERSIONS[document]
    return edifact.write_interchange(header=envelope(identity, controls=controls, at=at), messages=[("1", f"{document}:{version}", body)])
