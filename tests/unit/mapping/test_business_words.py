"""What a file says in business words, for each kind of document."""

from datetime import UTC, datetime

import pytest

from gateway.edi import x12
from gateway.mapping.business_words import tell

BODIES = {
    "944": "W17*C*20260310*JW417*RA55120\nN1*WH*DC 2\nN9*2I*1Z9\nW07*2*EA**SK*SHOE-42*UP*614145550011\nW13*1*EA*01\nW14*2",
    "943": "W06*C*RA55120*20260310\nN1*WH*DC 2\nW27*U*UPSN\nW04*2*EA**SK*SHOE-42\nW03*2",
    "856": "BSN*00*RA55120*20260310*0900\nHL*1**I\nLIN*1*SK*SHOE-42\nSN1*1*2*EA\nCTT*1*2",
    "180": "BGN*00*RA55120*20260310\nRDR*RA\nN9*RZ*RA55120\nBLI*SK*SHOE-42*2*EA\nRDR*CR*DR",
    "861": "BRA*JW417*20260310*00*1\nREF*RZ*RA55120\nDTM*050*20260310\nRCD*1*1*EA***1*EA*01\nLIN*1*SK*SHOE-42\nCTT*1",
    "940": "W05*N*RA55120\nN1*ST*DC 2\nW66*CC*U\nLX*1\nW01*2*EA**SK*SHOE-42\nW76*2",
    "947": "W15*20260310*ADJ3\nN1*WH*DC 2\nW19*AC*-1*EA**SK*SHOE-42",
    "846": "BIA*00*SI*X*20260310\nLIN*1*SK*SHOE-42\nQTY*33*2",
}
SAID = {
    "944": ("Warehouse receipt", ("return", "RA55120"), "2 EA of SHOE-42 (SK) / 614145550011 (UP), 1 damaged product or container"),
    "943": ("Return announcement", ("return", "RA55120"), "2 EA of SHOE-42 (SK)"),
    "856": ("Return announcement", ("return", "RA55120"), "2 EA of SHOE-42 (SK)"),
    "180": ("Return authorization", ("return", "RA55120"), "2 EA of SHOE-42 (SK), defective merchandise or returned by consumer"),
    "861": ("Receiving advice", ("return", "RA55120"), "1 EA of SHOE-42 (SK), 1 damaged product or container"),
    "940": ("Warehouse order", ("order", "RA55120"), "2 EA of SHOE-42 (SK)"),
    "947": ("Stock adjustment", ("adjustment", "ADJ3"), "-1 EA of SHOE-42 (SK), condition change"),
}


def write(set_id, body):
    header = x12.Envelope(
        sender_qualifier="ZZ", sender="JUNIPER3PL", receiver_qualifier="ZZ", receiver="ACMESHOES", group_sender="J", group_receiver="A",
        functional_id="RE", interchange_control=901, group_control=901, at=datetime(2026, 3, 10, 14, 5, tzinfo=UTC),
    )  # fmt: skip
    return x12.write_interchange(header=header, sets=[(set_id, 1, x12.parse_body(body))])


@pytest.mark.parametrize("set_id", SAID)
def test_it_tells_a_set_in_words(set_id):
    told = next(tell([write(set_id, BODIES[set_id])]))
    what, fact, line = SAID[set_id]
    assert told.what.startswith(f"{what} ({set_id} 0001) from JUNIPER3PL: ")
    assert fact in told.facts and told.lines == (line,)


def test_it_names_what_it_has_no_words_for():
    assert [one.what for one in tell([write("846", BODIES["846"])])] == ["Inventory report (846 0001) from JUNIPER3PL: accepted"]


def test_it_tells_acknowledgements():
    body = "AK1*SH*5\nAK2*856*0001\nAK3*BSN*2**8\nAK4*2*396*5*X\nAK5*R*5\nAK9*R*1*1*0"
    facts = dict(next(tell([write("997", body)])).facts)
    assert facts["group SH 5"] == "rejected" and facts["set 856 0001"].startswith("rejected: ") and "BSN" in facts["set 856 0001"]
    advice = "BGN*00*X*20260310\nOTI*TR*RZ*RA55120\nTED*011*RA NOT KNOWN"
    assert next(tell([write("824", advice)])).lines == ("TR RA55120: RA NOT KNOWN",)
    alone = write("944", BODIES["944"]).replace(b"GS*", b"TA1*000000417*260310*1405*R*025~\nGS*", 1)
    assert dict(next(tell([alone])).facts) == {"interchange": "000000417", "answer": "rejected", "reason": "Duplicate interchange control number"}


def test_it_tells_an_edifact_message():
    text = (
        "UNB+UNOC:3+CEDAR+NORTH+260721:1612+8'UNH+1+RECADV:D:96A:UN'BGM+632+CW1+9'DTM+137:20260721:102'RFF+AAK:R86'"
        "LIN+1++6141:EN'QTY+48:2:PCE'UNT+7+1'UNZ+1+8'"
    )
    told = next(tell([text.encode()]))
    assert told.what.startswith("Receiving advice (RECADV 1) from CEDAR: ") and ("despatch advice number", "R86") in told.facts
    assert told.lines == ("2 received quantity of 6141",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "An empty file."),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "A binary file, which says nothing to the gateway."),
        (b"sku,qty\r\nTEE,2\r\n", "A table with 2 columns and 1 row(s): sku, qty"),
    ],
)
def test_it_says_what_a_file_is_that_is_no_edi(data, words):
    assert next(tell([data])).what == words


def test_it_tells_the_rows_of_a_table_by_its_own_columns():
    assert next(tell([b"sku;qty\nTEE;2\nCAP;\n"])).lines == ("sku TEE; qty 2", "sku CAP")


def test_it_tells_what_is_wrong_with_the_envelope():
    data = write("944", BODIES["944"]).replace(b"IEA*1*", b"IEA*2*")
    assert [finding.code for one in tell([data]) for finding in one.findings] == ["x12.iea01-count"]
