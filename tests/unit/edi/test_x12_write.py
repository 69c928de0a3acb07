"""Writing: what goes out is what comes back in, and nothing that X12 cannot carry goes out."""

import pytest
from x12_cases import RECEIPT, codes_of, envelope, events, sets_of, write

from gateway.edi import x12
from gateway.errors import PermanentError


def test_it_writes_the_envelope_to_the_byte():
    data = x12.write_interchange(header=envelope(), sets=[("997", 1, [["AK1", "SH", "12"], ["AK9", "A", "1", "1", "1"]])])
    assert data == (
        b"ISA*00*          *00*          *ZZ*JUNIPER3PL     *ZZ*ACMESHOES      *260310*1405*U*00401*000000901*0*T*>~\n"
        b"GS*RE*JUNIPER3PL*ACMESHOES*20260310*1405*901*X*004010~\n"
        b"ST*997*0001~\nAK1*SH*12~\nAK9*A*1*1*1~\nSE*4*0001~\nGE*1*901~\nIEA*1*000000901~\n"
    )


def test_it_gives_a_005010_interchange_its_version_and_repetition_separator():
    separators = x12.Separators(b"|", b":", b"^", b"'")
    data = write(version="005010", separators=separators)
    (start, *_) = events(data)
    assert start.header.version == "00501" and start.header.separators == separators


def test_it_writes_an_interchange_of_ta1_alone():
    data = x12.write_acknowledgement(header=envelope(), segments=[["TA1", "000000044", "260309", "0800", "A", "000"]])
    assert [type(event).__name__ for event in events(data)] == ["InterchangeStart", "InterchangeAck", "InterchangeEnd"]
    assert codes_of(data) == []


def test_it_counts_sets_and_segments():
    data = write(RECEIPT, RECEIPT)
    assert codes_of(data) == [] and [each.control for each in sets_of(data)] == ["0001", "0002"]


def test_it_trims_empty_elements_at_the_end_of_a_segment():
    assert x12.write_set("944", 7, [["W17", "C", "", ""]]) == [["ST", "944", "0007"], ["W17", "C"], ["SE", "3", "0007"]]


def test_it_reads_template_text_line_by_line():
    assert x12.parse_body("LIN*1*SK*TEE\n\n  SN1*1*2*EA ~\nPID*F****~\n") == [["LIN", "1", "SK", "TEE"], ["SN1", "1", "2", "EA"], ["PID", "F"]]


@pytest.mark.parametrize("value", ["A*B", "A~B", "A>B", "A\nB", "A\x00B", "É", "\x7f"])
def test_it_refuses_a_value_that_x12_cannot_carry(value):
    with pytest.raises(x12.UnwritableValue, match=r"Segment 4 \(W17\), element 03: ") as caught:
        x12.write_interchange(header=envelope(), sets=[("944", 1, [["W17", "C", "20260310", value]])])
    assert isinstance(caught.value, PermanentError)


def test_it_refuses_the_repetition_separator_from_the_version_that_has_one():
    body = [["W17", "C", "20260310", "A^B"]]
    separators = x12.Separators(repetition=b"^")
    assert b"A^B" in x12.write_interchange(header=envelope(separators=separators), sets=[("944", 1, body)])
    with pytest.raises(x12.UnwritableValue):
        x12.write_interchange(header=envelope(separators=separators, version="005010"), sets=[("944", 1, body)])


def test_it_writes_a_composite_where_the_table_has_one():
    assert b"AK4*3>1*355*5~" in x12.write_interchange(header=envelope(), sets=[("997", 1, [["AK4", "3>1", "355", "5"]])])


@pytest.mark.parametrize("changes", [{"sender": "A NAME OF MORE THAN 15"}, {"sender": "A*B"}, {"usage": "XX"}, {"interchange_control": 10**9}])
def test_it_refuses_a_header_that_does_not_fit(changes):
    with pytest.raises(x12.UnwritableValue, match="ISA"):
        write(**changes)


@pytest.mark.parametrize("separators", [x12.Separators(b"*", b"*"), x12.Separators(b"A"), x12.Separators(terminator=b"\r\n")])
def test_it_refuses_delimiters_that_cannot_be_told_apart(separators):
    with pytest.raises(x12.UnwritableValue, match="delimiters"):
        write(separators=separators)


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("TEE BLACK M", "TEE BLACK M"), ("Café Größe", "Cafe Grosse"), ("50 > 40 * 2~", "50   40   2"), ("a\tb\r\nc", "a b  c"),
        ("Tee™ 👕", "TeeTM"), ("“quoted” – 5…", '"quoted" - 5...'), ("", ""),
    ],
)  # fmt: skip
def test_it_cleans_texts(value, cleaned):
    assert x12.clean(value) == cleaned


@pytest.mark.parametrize(("character_set", "bad"), [("basic", "Juniper"), ("extended", "A^B"), ("extended", "A`B")])
def test_it_refuses_what_the_agreed_character_set_has_not(character_set, bad):
    with pytest.raises(x12.UnwritableValue, match=character_set):
        write(RECEIPT.replace("JUNIPER DC 2", bad), character_set=character_set)


def test_it_writes_what_the_agreed_character_set_has():
    assert write(character_set="basic") == write(character_set="extended") == write()


def test_it_checks_a_body_before_it_is_written():
    assert x12.check_body("944", "004010", x12.parse_body(RECEIPT)) == []
    (found,) = x12.check_body("944", "004010", x12.parse_body(RECEIPT.replace("*EA**SK*SHOE", "*EACH**SK*SHOE")))
    assert (found.tag, found.element) == ("W07", 2)
