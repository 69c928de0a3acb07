"""The inside of a set: order, elements, relations, codes, and which faults make a receipt unusable."""

import pytest
from x12_cases import RECEIPT, inside, sets_of, write

from gateway.edi import dictionary, x12
from gateway.edi.dictionary_words import ELEMENT_CODES, SEGMENT_CODES
from gateway.edi.syntax import Severity

E, N = Severity.ERROR, Severity.NOTE


def brief(findings):
    return [(finding.severity, finding.segment, finding.tag, finding.element, finding.ack) for finding in findings]


def without(tag):
    return "\n".join(line for line in RECEIPT.splitlines() if not line.startswith(tag + "*"))


def test_it_finds_nothing_in_a_good_receipt():
    assert inside(RECEIPT) == [] and inside(RECEIPT, "005010") == []


ORDER = {
    "an unknown segment": (RECEIPT + "ZZ9*X", [(E, 13, "ZZ9", None, "1")]),
    "a segment of another set": (RECEIPT.replace("W08*U*UPSN", "TD5*B*2*UPSN"), [(N, 6, "TD5", None, "6")]),
    "goods in a segment of another set": (RECEIPT.replace("W14*3*3", "LIN**SK*X\nW14*3*3"), [(E, 12, "LIN", None, "6")]),
    "a segment too late": (RECEIPT.replace("W14*3*3", "G61*IC*ANN*TE*555\nW14*3*3"), [(N, 12, "G61", None, "7")]),
    "an exception before its line": (RECEIPT.replace("W08*U*UPSN", "W13*1*EA*04"), [(E, 6, "W13", None, "2")]),
    "no W17": (without("W17"), [(E, 2, "W17", None, "3")]),
    "no N1": (without("N1"), [(N, 3, "N1", None, "3")]),
    "no W07": (
        "\n".join(RECEIPT.splitlines()[:5]) + "\nW14*3*3",
        [(E, 7, "W07", None, "3")],
    ),
    "no W14": (without("W14"), [(N, 12, "W14", None, "3")]),
    "W17 twice": (RECEIPT.replace("N1*", "W17*C*20260310*A\nN1*"), [(E, 3, "W17", None, "5")]),
    "W08 twice": (RECEIPT.replace("W08*U*UPSN", "W08*U*UPSN\nW08*U*UPSN"), [(N, 7, "W08", None, "5")]),
    "eleven N9 in the heading": (RECEIPT.replace("N9*RZ*RA55120", "\n".join(["N9*RZ*RA55120"] * 11)), [(N, 14, "N9", None, "5")]),
    "eleven N1": (RECEIPT.replace("N1*WH*JUNIPER DC 2*92*DC02", "\n".join(["N1*WH*JUNIPER"] * 11)), [(N, 13, "N1", None, "4")]),
    "LX in 004010": (RECEIPT.replace("W07*2", "LX*1\nW07*2"), [(N, 7, "LX", None, "6")]),
    "references behind the parties": (
        RECEIPT.replace("N1*WH*JUNIPER DC 2*92*DC02\nN9*RZ*RA55120", "N9*RZ*RA55120\nN1*WH*JUNIPER DC 2*92*DC02"),
        [(N, 4, "N1", None, "7")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), ORDER.values(), ids=ORDER)
def test_it_judges_the_order(body, expected):
    assert brief(inside(body)) == expected


def test_it_takes_lines_with_and_without_lx_in_005010():
    assert inside(RECEIPT.replace("W07*2", "LX*1\nW07*2").replace("W07*1", "LX*2\nW07*1"), "005010") == []


def test_it_takes_an_exception_report_without_lines():
    heading = "\n".join(RECEIPT.splitlines()[:5]).replace("W17*C", "W17*N")
    assert brief(inside(heading + "\nW14*3")) == [(N, 7, "W07", None, "3")]


def changed(old, new):
    assert old in RECEIPT
    return RECEIPT.replace(old, new, 1)


ELEMENTS = {
    "no receipt number": (changed("*JW0000417*", "**"), [(E, 2, "W17", 3, "1")]),
    "a long receipt number": (changed("*JW0000417*", "*JW00000000417*"), [(N, 2, "W17", 3, "5")]),
    "month 13": (changed("W17*C*20260310", "W17*C*20261310"), [(E, 2, "W17", 2, "8")]),
    "the 30th of February": (changed("W17*C*20260310", "W17*C*20260230"), [(E, 2, "W17", 2, "8")]),
    "an unknown reporting code": (changed("W17*C", "W17*Q"), [(E, 2, "W17", 1, "7")]),
    "a bad date in a note": (changed("G62*19*20260310", "G62*19*2026-03-10"), [(N, 5, "G62", 2, "8")]),
    "a long unit": (changed("W07*2*EA", "W07*2*EACH"), [(E, 7, "W07", 2, "5")]),
    "a short unit": (changed("W07*2*EA", "W07*2*E"), [(E, 7, "W07", 2, "4")]),
    "no quantity": (changed("W07*2*", "W07**"), [(E, 7, "W07", 1, "1")]),
    "a quantity of letters": (changed("W07*2*", "W07*TWO*"), [(E, 7, "W07", 1, "6")]),
    "a quantity too large": (changed("W07*2*", "W07*12345678*"), [(E, 7, "W07", 1, "5"), (N, 12, "W14", 1, None)]),
    "a qualifier without item": (changed("*SK*SHOE-RED-42*UP*614145550011", "*SK"), [(E, 7, "W07", 5, "2")]),
    "no item at all": (changed("W07*2*EA**SK*SHOE-RED-42*UP*614145550011", "W07*2*EA"), [(E, 7, "W07", 3, "2")]),
    "half a second item": (changed("*UP*614145550011", "*LT"), [(N, 7, "W07", 7, "2")]),
    "a case code of 11 digits": (changed("W07*2*EA**", "W07*2*EA*12345678901*"), [(N, 7, "W07", 3, "4")]),
    "an unknown condition": (changed("W13*1*EA*04", "W13*1*EA*77"), [(E, 11, "W13", 3, "7")]),
    "units in words in the total": (changed("W14*3*3", "W14*3*4 EA"), [(N, 12, "W14", 2, "6")]),
    "an element too many": (changed("W08*U*UPSN", "W08*U*UPSN" + "*" * 20 + "X"), [(N, 6, "W08", 22, "3")]),
    "a party without name or id": (changed("N1*WH*JUNIPER DC 2*92*DC02", "N1*WH"), [(N, 3, "N1", 2, "2")]),
    "a bad time": (changed("*RA55120*RA55120", "*RA55120*RA55120*ZZ*2560"), [(N, 2, "W17", 7, "9")]),
}


@pytest.mark.parametrize(("body", "expected"), ELEMENTS.values(), ids=ELEMENTS)
def test_it_judges_elements(body, expected):
    assert brief(inside(body)) == expected


@pytest.mark.parametrize("quantity", ["2", "0002", "2.000", "-2", "0", "00000000000002", "+2", ".5"])
def test_it_takes_quantities_as_they_come(quantity):
    assert [each for each in inside(changed("W07*2*", f"W07*{quantity}*")) if each.code != "x12.total"] == []


@pytest.mark.parametrize("body", [changed("N9*RZ*RA55120", "N9*RZ*RA55120  "), changed("W07*2*EA", "W07*2*XQ"), changed("*SK*SHOE", "*QQ*SHOE")])
def test_it_takes_trailing_blanks_and_codes_that_are_not_in_a_selected_list(body):
    assert inside(body) == []


def test_it_finds_an_exclusion():
    body = "BGN*11*RA1*20260310\nRDR*CR*DR*EW\nBLI*SK*TEE*1*EA"
    (found,) = [finding for finding in inside(body, set_id="180") if finding.tag == "RDR"]
    assert (found.code, found.element, found.value, found.ack) == ("x12.element-exclusive", 3, "EW", "10")
    assert "RDR-02" in found.message


def test_it_finds_a_repeated_element_where_the_interchange_has_a_separator_for_repeats():
    data = write(RECEIPT.replace("*EA**SK*SHOE", "*EAQEA**SK*SHOE"), version="005010").replace(b"EAQEA", b"EA^EA")
    (found,) = sets_of(data)[0].findings
    assert (found.code, found.tag, found.element, found.ack, found.severity) == ("x12.element-repeated", "W07", 2, "12", E)
    assert sets_of(write(RECEIPT.replace("JUNIPER DC 2", "JUNIPER ^ 2")))[0].findings == []


def test_it_checks_components():
    body = "BRA*R1*20260310*00*1\nDTM*050*20260310\nRCD*1*2*EACH>1>1\nLIN*1*SK*TEE\nCTT*1"
    (found,) = inside(body, set_id="861")
    assert (found.element, found.component, found.element_number, found.ack) == (3, 1, "355", "5")


def test_it_gives_every_ak3_and_ak4_code_a_finding_code_of_its_own():
    assert len(set(SEGMENT_CODES.values())) == 7 and len(set(ELEMENT_CODES.values())) == 11


@pytest.mark.parametrize(
    ("version", "table", "exact"),
    [("004010", "004010", True), ("004010VICS", "004010", True), ("005010X230", "005010", True), ("004030", "004010", False),
     ("005030", "005010", False), ("006020", "005010", False), ("", "004010", False), ("21", "004010", False)],
)  # fmt: skip
def test_it_reads_an_unknown_version_by_its_neighbour(version, table, exact):
    assert dictionary.nearest(version) == (table, exact)
    assert [note.code for note in dictionary.checker_for("944", version).notes] == ([] if exact else ["x12.version-nearest"])


def test_it_says_when_it_has_no_table_for_a_set():
    segments = [x12.Segment("ST", ["ZZZ", "0001"], 1), x12.Segment("SE", ["2", "0001"], 2)]
    (found,) = dictionary.check_set(segments, "ZZZ", "004010")
    assert (found.code, found.severity, found.ack) == ("x12.set-unknown", N, x12.SET_NOT_SUPPORTED)


def test_it_checks_a_set_by_itself():
    segments = [x12.Segment("ST", ["944", "0001"], 1), x12.Segment("SE", ["2", "0001"], 2)]
    assert [finding.tag for finding in dictionary.check_set(segments, "944", "004010")] == ["W17", "N1", "W14", "W07"]


@pytest.mark.parametrize("version", ["004010", "005010"])
@pytest.mark.parametrize("set_id", ["856", "944", "943", "180", "861", "940", "947", "945", "846", "997", "824"])
def test_it_has_tables_for_the_sets_of_returns(set_id, version):
    assert dictionary.checker_for(set_id, version).notes == ()


def test_it_describes_segments_elements_and_codes():
    assert dictionary.describe("W07") == "Item Detail for Stock Receipt" and dictionary.describe("ZZ9") is None
    assert dictionary.element_name("W17", 2, "005010") == "Date" and dictionary.element_name("W17", 99) is None
    assert dictionary.code_meaning("412", "04") == "Quality Problem" and dictionary.code_meaning("412", "??") is None
    assert dictionary.element_number("W17", 2) == "373" and dictionary.is_composite("AK4", 1)


HEADS = {
    "944": "W17*C*20260310*JW417\nN1*WH*DC\nW07*2*EA**SK*A\nW07*1.5*EA**SK*B\nW14*{}",
    "943": "W06*C*RA1*20260310\nN1*WH*DC\nW27*U*UPSN\nW04*2*EA**SK*A\nW04*1.5*EA**SK*B\nW03*{}",
    "940": "W05*N*RA1\nN1*ST*DC\nW66*CC*U\nLX*1\nW01*2*EA**SK*A\nLX*2\nW01*1.5*EA**SK*B\nW76*{}",
}


@pytest.mark.parametrize("set_id", HEADS)
def test_it_compares_a_total_with_the_lines(set_id):
    assert totals(set_id, HEADS[set_id].format("3.5")) == []
    (finding,) = totals(set_id, HEADS[set_id].format("4"))
    assert (finding.severity, finding.ack, finding.value) == (N, None, "4") and "says 4, but" in finding.message and "3.5" in finding.message


def totals(set_id, body):
    return [each for each in sets_of(write(body, set_id=set_id, functional_id="XX"))[0].findings if each.code == "x12.total"]


SHIPMENT = "BSN*00*RA1*20260310*0900\nHL*1**S\nHL*2*1*I\nLIN*1*SK*A\nSN1*1*2*EA\nCTT*{}"


def test_it_compares_ctt_with_what_it_counts():
    assert totals("856", SHIPMENT.format("2*2")) == [] and totals("856", SHIPMENT.format("2")) == []
    assert [(each.element, each.value) for each in totals("856", SHIPMENT.format("3*4"))] == [(1, "3"), (2, "4")]
    assert [each.element for each in totals("861", "BRA*1*20260310*00*1\nDTM*050*20260310\nRCD*1*2*EA\nLIN*1*SK*A\nCTT*2")] == [1]
    assert [each.element for each in totals("846", "BIA*00*SI*X*20260310\nLIN*1*SK*A\nQTY*33*2\nCTT*2")] == [1]


def test_it_looks_at_no_total_where_a_quantity_cannot_be_read():
    assert totals("944", HEADS["944"].format("9").replace("1.5", "one")) == [] == totals("944", HEADS["944"].format("many"))


def test_a_partner_may_be_held_to_its_totals():
    strict = x12.Strictness(raised=frozenset({"x12.total:W14-01"}))
    (document,) = sets_of(write(HEADS["944"].format("4")), strictness=strict)
    assert not document.accepted and sets_of(write(HEADS["944"].format("4")))[0].accepted


@pytest.mark.parametrize("set_id", HEADS)
@pytest.mark.parametrize("line_break", [True, False])
def test_it_compares_totals_of_sets_that_are_taken_whole(monkeypatch, set_id, line_break):
    monkeypatch.setattr(dictionary, "_WORTH_PATTERNS", 1)
    body = HEADS[set_id].replace("1.5", "2")
    right, wrong = body.format("4"), body.format("5")
    data = write(right, right, right, wrong, right, set_id=set_id, functional_id=dictionary.FUNCTIONAL_IDS[set_id], line_break=line_break)
    assert [[each.code for each in one.findings] for one in sets_of(data)] == [[], [], [], ["x12.total"], []]
