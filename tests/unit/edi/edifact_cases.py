"""Example messages of fictional parties, and short ways to read them; shared by the tests of EDIFACT."""

from datetime import UTC, datetime

from gateway.edi import edifact

RECEIPT = """\
BGM+632+CW0044872+9
DTM+137:20260721:102
DTM+50:20260721:102
RFF+AAK:R8675309
RFF+ALQ:R8675309
NAD+SU+NORTHPEAK::92
NAD+DP+DC04::92
CPS+1
LIN+1++614141000111:UP
PIA+1+TEE-BLK-M:SA
QTY+12:2
QTY+48:1
QVR+-1:12
RFF+LI:1
LIN+2++614141000227:UP
QTY+48:1
CDI+1+4
CNT+2:2
"""


def envelope(**changes):
    given = {
        "sender": "CEDARWMS", "sender_qualifier": "ZZ", "recipient": "NORTHPEAK", "recipient_qualifier": "ZZ", "control": "2208",
        "at": datetime(2026, 7, 21, 16, 12, tzinfo=UTC),
    }  # fmt: skip
    return edifact.Envelope(**{**given, **changes})


def write(*bodies, identifier="RECADV:D:96A:UN", **changes):
    """An interchange with these bodies, each in a message of its own, numbered from 1."""
    messages = [(str(n), identifier, edifact.parse_body(body)) for n, body in enumerate(bodies or (RECEIPT,), 1)]
    return edifact.write_interchange(header=envelope(**changes), messages=messages)


def flat(*bodies, **changes):
    return write(*bodies, line_break=False, **changes)


def events(data, **options):
    return list(edifact.read_messages([data], **options))


def messages_of(data, **options):
    return [event for event in events(data, **options) if isinstance(event, edifact.Message)]


def findings_of(data, **options):
    found = []
    for event in events(data, **options):
        found += [event.finding] if isinstance(event, edifact.FileFinding) else getattr(event, "findings", [])
    return found


def codes_of(data, **options):
    return [finding.code for finding in findings_of(data, **options)]


def inside(body, identifier="RECADV:D:96A:UN", **options):
    (found,) = messages_of(write(body, identifier=identifier), **options)
    return found.findings
