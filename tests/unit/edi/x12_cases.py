"""Example files of fictional parties, and short ways to read them; shared by the tests of this folder."""

from datetime import UTC, datetime

from gateway.edi import x12

RECEIPT = """\
W17*C*20260310*JW0000417*RA55120*RA55120
N1*WH*JUNIPER DC 2*92*DC02
N9*RZ*RA55120
G62*19*20260310
W08*U*UPSN
W07*2*EA**SK*SHOE-RED-42*UP*614145550011
N9*LI*1
W07*1*EA**SK*LACE-BLK*UP*614145550028
N9*LI*2
W13*1*EA*04
W14*3*3
"""


def envelope(**changes):
    given = {
        "sender_qualifier": "ZZ", "sender": "JUNIPER3PL", "receiver_qualifier": "ZZ", "receiver": "ACMESHOES",
        "group_sender": "JUNIPER3PL", "group_receiver": "ACMESHOES", "functional_id": "RE", "usage": "T",
        "interchange_control": 901, "group_control": 901, "at": datetime(2026, 3, 10, 14, 5, tzinfo=UTC),
    }  # fmt: skip
    return x12.Envelope(**{**given, **changes})


def write(*bodies, set_id="944", **changes):
    """An interchange with these bodies, each in a set of its own, numbered from 1."""
    sets = [(set_id, n, x12.parse_body(body)) for n, body in enumerate(bodies or (RECEIPT,), 1)]
    return x12.write_interchange(header=envelope(**changes), sets=sets)


def flat(*bodies, **changes):
    """The same without line ends."""
    return write(*bodies, line_break=False, **changes)


def events(data, **options):
    return list(x12.read_sets([data], **options))


def sets_of(data, **options):
    return [event for event in events(data, **options) if isinstance(event, x12.TransactionSet)]


def findings_of(data, **options):
    found = []
    for event in events(data, **options):
        found += [event.finding] if isinstance(event, x12.FileFinding) else getattr(event, "findings", [])
    return found


def codes_of(data, **options):
    return [finding.code for finding in findings_of(data, **options)]


def inside(body, version="004010", set_id="944", **options):
    """The findings of a set with this body."""
    kind = {"944": "RE", "861": "RC", "997": "FA", "180": "AN"}[set_id]
    (found,) = sets_of(write(body, set_id=set_id, version=version, functional_id=kind), **options)
    return found.findings
