"""Acknowledgements, both ways."""

import pytest
from x12_cases import RECEIPT, envelope, events, flat, sets_of

from gateway.edi import acknowledge, x12

BAD = RECEIPT.replace("W17*C*20260310*JW0000417*", "W17*C*20261310**").replace("W07*1*EA*", "W07*1*EACH*")


def acknowledge_file(data):
    """The 997 body for the only group of a file."""
    results = acknowledge.GroupResults.of(acknowledge.SetResult(each.set_id, each.control, each.findings) for each in sets_of(data))
    end = next(event for event in events(data) if isinstance(event, x12.GroupEnd))
    body = acknowledge.acknowledge_group(end.header, results, end.findings, end.declared, end.counted)
    return ["*".join(segment) for segment in body]


def test_it_accepts_a_good_group():
    assert acknowledge_file(flat()) == ["AK1*RE*901", "AK2*944*0001", "AK5*A", "AK9*A*1*1*1"]


def test_it_rejects_a_bad_set_with_the_place_of_every_fault():
    assert acknowledge_file(flat(BAD)) == [
        "AK1*RE*901", "AK2*944*0001", "AK3*W17*2**8", "AK4*2*373*8*20261310", "AK4*3*394*1", "AK3*W07*9**8", "AK4*2*355*5*EACH",
        "AK5*R*5", "AK9*R*1*1*0",
    ]  # fmt: skip


def test_it_names_missing_unknown_and_bad_at_their_positions():
    body = BAD.replace("W14*3*3\n", "ZZ9*X\n")
    assert acknowledge_file(flat(body))[-5:] == ["AK4*2*355*5*EACH", "AK3*ZZ9*12**1", "AK3*W14*13**3", "AK5*R*5", "AK9*R*1*1*0"]


def test_it_takes_a_group_in_part():
    noted = RECEIPT.replace("W14*3*3", "W14*3*4 EA")
    data = flat(RECEIPT, RECEIPT, noted).replace(b"SE*13*0002", b"SE*12*0002")
    assert acknowledge_file(data) == [
        "AK1*RE*901", "AK2*944*0001", "AK5*A", "AK2*944*0002", "AK5*R*4", "AK2*944*0003", "AK3*W14*12**8", "AK4*2*382*6*4 EA", "AK5*E*5",
        "AK9*P*3*3*2",
    ]  # fmt: skip


def test_it_notes_a_set_that_can_be_used():
    assert acknowledge_file(flat(RECEIPT.replace("W14*3*3", "")))[2:] == ["AK3*W14*12**3", "AK5*E*5", "AK9*E*1*1*1"]


@pytest.mark.parametrize(
    ("old", "new", "last"),
    [
        (b"GE*1*901", b"GE*2*901", "AK9*R*2*1*1*5"), (b"GE*1*901", b"GE*1*902", "AK9*R*1*1*1*4"), (b"GE*1*901~", b"", "AK9*R*1*1*1*3"),
        (b"GS*RE*", b"GS*IN*", "AK9*A*1*1*1"),
    ],
)  # fmt: skip
def test_it_answers_for_the_group(old, new, last):
    assert acknowledge_file(flat().replace(old, new))[-1] == last


def test_it_leaves_delimiters_out_of_a_copy_and_cuts_it():
    data = flat(RECEIPT.replace("W08*U*UPSN", "W08*U*UPSN" + "*" * 20 + "X" * 120)).replace(b"X" * 120, b"A>" + b"B" * 118)
    copies = [line for line in acknowledge_file(data) if line.startswith("AK4")]
    assert copies == ["AK4*22**3*A " + "B" * 97]


def test_it_writes_what_it_reads():
    body = [line.split("*") for line in acknowledge_file(flat(BAD))]
    data = x12.write_interchange(header=envelope(functional_id="FA"), sets=[("997", 1, body)])
    (ts,) = sets_of(data)
    assert ts.findings == []
    read = acknowledge.read_acknowledgement(ts)
    assert (read.functional_id, read.group_control, read.group_result, read.counts) == ("RE", "901", "R", (1, 1, 0))
    (only,) = read.sets
    assert (only.set_id, only.control, only.result) == ("944", "0001", "R")
    assert only.reasons[0] == "Segment 2 (W17), element 02 (Date): Invalid Date, found '20261310'"


def read_997(*lines, set_id="997", version="004010"):
    data = x12.write_interchange(header=envelope(functional_id="FA", version=version), sets=[(set_id, 1, x12.parse_body("\n".join(lines)))])
    return acknowledge.read_acknowledgement(sets_of(data)[0])


def test_it_reads_a_997_without_sets():
    read = read_997("AK1*SH*12", "AK9*A*1*1*1")
    assert read.sets == [] and read.group_result == "A"


def test_it_reads_a_group_rejection_with_its_reason():
    read = read_997("AK1*SH*12", "AK9*R*1*0*0*2")
    assert read.group_result == "R" and len(read.reasons) == 1 and "ersion" in read.reasons[0]


def test_it_reads_a_997_without_ak5_and_with_counts_that_are_no_numbers():
    read = read_997("AK1*SH*12", "AK2*856*0001", "AK2*856*0002", "AK5*A", "AK9*P*X*2*1")
    assert [each.result for each in read.sets] == ["", "A"] and read.counts == (None, 2, 1)


def test_it_reads_a_999():
    lines = ["AK1*SH*12*005010", "AK2*856*0001", "IK3*LIN*9**8", "CTX*LIN03>TEE", "IK4*2*235*7*XX", "IK5*R*5", "AK9*R*1*1*0"]
    (only,) = read_997(*lines, set_id="999", version="005010").sets
    assert only.result == "R" and any("Segment 9 (LIN), element 02" in reason and "XX" in reason for reason in only.reasons)


def test_it_builds_and_reads_a_ta1():
    start = events(flat())[0]
    assert acknowledge.acknowledge_interchange(start.header, accepted=True) == ["TA1", "000000901", "260310", "1405", "A", "000"]
    sent = acknowledge.acknowledge_interchange(start.header, accepted=False, code="025")
    read = acknowledge.read_ta1(x12.Segment(sent[0], sent[1:]))
    assert (read.control, read.result, read.code) == ("000000901", "R", "025") and "uplicate" in read.meaning


def group_of(data):
    results = acknowledge.GroupResults.of(
        acknowledge.SetResult(each.set_id, each.control, each.findings, ("W1704", "RA55120")) for each in sets_of(data)
    )
    end = next(event for event in events(data) if isinstance(event, x12.GroupEnd))
    return end.header, results, end.findings, end.declared, end.counted


def test_it_names_the_version_in_a_997_of_005010():
    assert acknowledge.acknowledge_group(*group_of(flat(version="005010")), version="005010")[0] == ["AK1", "RE", "901", "005010"]


def test_it_builds_a_999_that_our_own_checker_accepts_and_reads():
    body = acknowledge.acknowledge_group_999(*group_of(flat(BAD)))
    assert [segment[0] for segment in body] == ["AK1", "AK2", "IK3", "CTX", "IK4", "IK4", "IK3", "CTX", "IK4", "IK5", "AK9"]
    assert body[3] == ["CTX", "W1704>RA55120"]
    data = x12.write_interchange(header=envelope(functional_id="FA", version="005010"), sets=[("999", 1, body)])
    (ts,) = sets_of(data)
    assert ts.findings == []
    (only,) = acknowledge.read_acknowledgement(ts).sets
    assert only.result == "R" and "Segment 2 (W17), element 02 (Date): Invalid Date, found '20261310'" in only.reasons


ADVICE = acknowledge.ApplicationAdvice(
    number="824-0000467",
    date="20260721",
    time="1619",
    sender=("NORTHPEAK", "92", "NORTHPEAK"),
    receiver=("CEDAR 3PL", "92", "DC04"),
    items=(
        acknowledge.AdviceItem(
            "TR", "RZ", "R8675399", "2218", "0001", "944", "004010", "20260721", "1612",
            (acknowledge.AdviceError("011", "RA NUMBER NOT KNOWN", "W17", 2, 4, "285", "R8675399"),),
        ),
        acknowledge.AdviceItem(
            "IR", "RZ", "R8675309",
            errors=(acknowledge.AdviceError("Q", "SKU NOT ON FILE", "W07", 7, 5, "234", "SOCK-RED-L", notes=("LINE HELD FOR REVIEW",)),),
        ),
    ),
)  # fmt: skip


def test_it_writes_an_824_and_reads_it_back():
    body = acknowledge.write_application_advice(ADVICE)
    (ts,) = sets_of(x12.write_interchange(header=envelope(functional_id="AG"), sets=[("824", 1, body)]))
    assert ts.findings == []
    assert acknowledge.read_application_advice(ts) == ADVICE
    assert [item.rejected for item in ADVICE.items] == [True, True]


def test_it_cleans_and_cuts_the_texts_of_an_824():
    error = acknowledge.AdviceError("ZZZ", "Größe * unbekannt " * 9, value="A~B" + "x" * 200)
    item = acknowledge.AdviceItem("TR", "RZ", "R" * 50, set_control="0001", errors=(error,))
    body = acknowledge.write_application_advice(acknowledge.ApplicationAdvice("N", "20260310", items=(item,)))
    (ts,) = sets_of(x12.write_interchange(header=envelope(functional_id="AG"), sets=[("824", 1, body)]))
    assert ts.findings == []


def test_it_reads_an_824_whose_errors_stand_in_front_of_every_item():
    data = x12.write_interchange(
        header=envelope(functional_id="AG"), sets=[("824", 1, [["BGN", "00", "X", "20260310"], ["TED", "007", "NO ITEM", "", "A"]])]
    )
    advice = acknowledge.read_application_advice(sets_of(data)[0])
    assert advice.items[0].result == "" and advice.items[0].errors[0].position is None


def large(bad):
    """The 997 body for a group of MOST_SETS + 1 sets, so many of which are bad, the last ones."""
    most = acknowledge.MOST_SETS
    (wrong,) = sets_of(flat(BAD))
    findings = [[]] * (most + 1 - bad) + [wrong.findings] * bad
    results = acknowledge.GroupResults.of(acknowledge.SetResult("944", f"{place:05d}", found) for place, found in enumerate(findings, 1))
    end = next(event for event in events(flat()) if isinstance(event, x12.GroupEnd))
    return ["*".join(segment) for segment in acknowledge.acknowledge_group(end.header, results, [], most + 1, most + 1)]


def test_it_names_of_a_very_large_group_only_what_was_not_accepted():
    assert large(0) == ["AK1*RE*901", "AK9*A*10001*10001*10001"]
    body = large(2)
    assert body[:2] == ["AK1*RE*901", "AK2*944*10000"]
    assert [segment for segment in body if segment.startswith(("AK2", "AK5", "AK9"))] == [
        "AK2*944*10000", "AK5*R*5", "AK2*944*10001", "AK5*R*5", "AK9*P*10001*10001*9999",
    ]  # fmt: skip
    assert "AK4*2*373*8*20261310" in body


def test_it_tells_the_details_of_so_many_bad_sets_and_that_the_others_are_bad():
    body = large(acknowledge.MOST_SETS + 1)
    assert (body.count("AK5*R*5"), body.count("AK4*2*373*8*20261310")) == (acknowledge.MOST_SETS + 1, acknowledge.MOST_SETS)
    assert body[-3:] == ["AK2*944*10001", "AK5*R*5", "AK9*R*10001*10001*0"]
