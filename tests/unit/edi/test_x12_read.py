"""Reading: the events of a file, what is tolerated, and every fault of an envelope."""

import pytest
from x12_cases import RECEIPT, codes_of, events, findings_of, flat, sets_of, write

from gateway.edi import x12
from gateway.edi.syntax import Severity

FILE = flat()


def test_it_tells_a_file_as_events_in_its_order():
    names = [type(event).__name__ for event in events(write())]
    assert names == ["InterchangeStart", "GroupStart", "TransactionSet", "GroupEnd", "InterchangeEnd"]


def test_it_reads_the_headers_without_their_padding():
    start, group, *_ = events(write())
    assert (start.header.sender, start.header.receiver, start.header.control) == ("JUNIPER3PL", "ACMESHOES", "000000901")
    assert (start.header.date, start.header.time, start.header.usage) == ("260310", "1405", "T")
    assert (group.header.functional_id, group.header.control, group.header.version) == ("RE", "901", "004010")


def test_it_reads_segments_with_ordinals_and_byte_offsets():
    data = write()
    (found,) = sets_of(data)
    assert found.accepted and found.set_id == "944" and found.control == "0001" and found.ordinal == 1
    for ordinal, segment in enumerate(found.segments, 1):
        assert segment.ordinal == ordinal
        assert data[segment.offset - 1 :].startswith(segment.tag.encode() + b"*")
    assert data[found.offset - 1 : found.end_offset].endswith(b"SE*13*0001~")


def test_it_counts_elements_from_1_and_trims_them():
    (found,) = sets_of(FILE.replace(b"*JW0000417*", b"*JW0000417   *"))
    header = found.segments[1]
    assert header.elements[0] == "C" and header.get(1) == "C" and header.get(3) == "JW0000417"
    assert header.get(0) == header.get(99) == ""


def test_it_splits_components():
    segment = x12.Segment("AK4", ["2>1", "373"], component=">")
    assert segment.components(1) == ["2", "1"] and segment.components(2) == ["373"] and segment.components(9) == [""]


def recoded(old, new):
    return FILE.replace(old, new)


def with_terminator(new):
    return FILE.replace(b"~", new)


def wrapped(line_end):
    return line_end.join(FILE[at : at + 80] for at in range(0, len(FILE), 80))


TOLERATED = {
    "a byte order mark": b"\xef\xbb\xbf" + FILE,
    "leading blanks": b" \r\n\0 " + FILE,
    "LF after each terminator": with_terminator(b"~\n"),
    "CRLF after each terminator": with_terminator(b"~\r\n"),
    "indented segments": with_terminator(b"~\n   "),
    "blank lines": with_terminator(b"~\n\n\n"),
    "LF as terminator": with_terminator(b"\n"),
    "CR as terminator": with_terminator(b"\r"),
    "CRLF as terminator": with_terminator(b"\r\n"),
    "0x1C as terminator": with_terminator(b"\x1c"),
    "0x15 as terminator": with_terminator(b"\x15"),
    "0x85 as terminator": with_terminator(b"\x85"),
    "an apostrophe as terminator": with_terminator(b"'"),
    "a pipe as element separator": recoded(b"*", b"|"),
    "0x1D as element separator": recoded(b"*", b"\x1d"),
    "wrapped at 80 columns with LF": wrapped(b"\n"),
    "wrapped at 80 columns with CRLF": wrapped(b"\r\n"),
    "NULs, Ctrl-Z and blank lines at the end": FILE + b"\n\n\0\0\x1a",
    "no terminator after IEA": FILE[:-1],
    "no terminator after IEA, a line end": FILE[:-1] + b"\r\n",
    "GE02 padded": recoded(b"GE*1*901", b"GE*1*000000901"),
    "SE01 padded": recoded(b"SE*13*", b"SE*0013*"),
    "trailing separators": recoded(b"W08*U*UPSN~", b"W08*U*UPSN***~"),
}


@pytest.mark.parametrize("data", TOLERATED.values(), ids=TOLERATED)
def test_it_tolerates(data):
    (found,) = sets_of(data)
    assert codes_of(data) == []
    expected = [[segment.tag, segment.get(1), segment.get(5)] for segment in sets_of(FILE)[0].segments[:-1]]
    assert [[segment.tag, segment.get(1), segment.get(5)] for segment in found.segments[:-1]] == expected


NOTED = {
    "x12.isa-unpadded": FILE.replace(b"JUNIPER3PL     ", b"JUNIPER3PL", 1),
    "x12.terminator-multibyte": with_terminator(b"\xe2\x80\xa6"),
    "x12.tag-case": FILE.replace(b"~W07*", b"~w07*"),
    "x12.garbage": b"From: Juniper Warehouse\r\n\r\n" + FILE,
    "x12.isa13-format": FILE.replace(b"*000000901*0*", b"*0000A0901*0*").replace(b"*1*000000901", b"*1*0000A0901"),
    "x12.gs01-mismatch": FILE.replace(b"GS*RE*", b"GS*IN*"),
    "x12.st02-repeated": flat(RECEIPT, RECEIPT).replace(b"*0002", b"*0001"),
    "x12.st02-format": FILE.replace(b"*0001~", b"*1~"),
    "x12.set-unknown": FILE.replace(b"ST*944*", b"ST*ZZZ*"),
    "x12.version-nearest": FILE.replace(b"*X*004010", b"*X*004030"),
}


@pytest.mark.parametrize(("code", "data"), NOTED.items(), ids=NOTED)
def test_it_notes_and_goes_on(code, data):
    if code == "x12.isa13-format":
        data = data.replace(b"0000A0901", b"00000A901")
    found = findings_of(data)
    assert code in [finding.code for finding in found]
    assert all(finding.severity is Severity.NOTE for finding in found)
    assert sets_of(data) and all(each.accepted for each in sets_of(data))


def cut(data, tag):
    """The file without its first segment of this id."""
    start = data.index(b"~" + tag + b"*") + 1
    return data[:start] + data[data.index(b"~", start) + 1 :]


FAULTY = {
    "SE01 wrong": (FILE.replace(b"SE*13*", b"SE*12*"), "x12.se01-count", "AK5", "4"),
    "SE02 differs": (FILE.replace(b"SE*13*0001", b"SE*13*0002"), "x12.se02-control", "AK5", "3"),
    "SE02 padded": (FILE.replace(b"SE*13*0001", b"SE*13*00001"), "x12.se02-control", "AK5", "3"),
    "SE missing": (cut(FILE, b"SE"), "x12.se-missing", "AK5", "2"),
    "ST01 bad": (FILE.replace(b"ST*944*", b"ST*94*"), "x12.st01-format", "AK5", "6"),
    "ST missing": (cut(FILE, b"ST"), "x12.st-missing", None, None),
    "a segment between SE and GE": (FILE.replace(b"GE*1*", b"N9*RZ*X~GE*1*"), "x12.segment-outside", None, None),
    "GE01 wrong": (FILE.replace(b"GE*1*", b"GE*2*"), "x12.ge01-count", "AK9", "5"),
    "GE01 no number": (FILE.replace(b"GE*1*", b"GE**"), "x12.ge01-count", "AK9", "5"),
    "GE02 differs": (FILE.replace(b"GE*1*901", b"GE*1*902"), "x12.ge02-control", "AK9", "4"),
    "GE missing": (cut(FILE, b"GE"), "x12.ge-missing", "AK9", "3"),
    "GS missing": (cut(FILE, b"GS"), "x12.group-missing", "TA1", "024"),
    "IEA01 wrong": (FILE.replace(b"IEA*1*", b"IEA*3*"), "x12.iea01-count", "TA1", "021"),
    "IEA02 differs": (FILE.replace(b"IEA*1*000000901", b"IEA*1*000000902"), "x12.iea02-control", "TA1", "001"),
    "IEA missing": (cut(FILE, b"IEA"), "x12.iea-missing", "TA1", "023"),
    "ISA alone": (FILE[:106], "x12.iea-missing", "TA1", "023"),
    "cut inside a segment": (FILE[:300], "x12.iea-missing", "TA1", "023"),
    "a terminator inside the ISA": (FILE.replace(b"ACMESHOES      *", b"ACME~SHOES     *", 1), "x12.isa-delimiter", "TA1", "022"),
    "equal delimiters": (FILE.replace(b"*>~", b"*~~", 1), "x12.delimiters-equal", "TA1", "026"),
    "no terminator for ever": (FILE[:150] + b"A" * 1_500_000 + FILE[150:], "x12.segment-endless", "TA1", "022"),
}


@pytest.mark.parametrize(("data", "code", "kind", "ack"), FAULTY.values(), ids=FAULTY)
def test_it_finds(data, code, kind, ack):
    (found,) = [finding for finding in findings_of(data) if finding.code == code]
    assert (found.severity, found.ack_kind, found.ack) == (Severity.ERROR, kind, ack)
    assert found.message and found.remedy and found.offset > 0


@pytest.mark.parametrize("tag", [b"IEA", b"GS"])
def test_it_does_not_accept_an_interchange_with_a_broken_envelope(tag):
    assert events(cut(FILE, tag))[-1].accepted is False


def test_it_accepts_an_interchange_whose_set_alone_is_bad():
    *_, group, end = events(FILE.replace(b"SE*13*", b"SE*12*"))
    assert (group.declared, group.counted, group.accepted) == (1, 1, 0)
    assert end.accepted


OUTSIDE = {
    "nothing": (b"", "x12.empty", Severity.NOTE),
    "blanks": (b" \r\n\x1a", "x12.empty", Severity.NOTE),
    "a PDF": (b"%PDF-1.7\n1 0 obj", "x12.not-edi", Severity.ERROR),
    "a letter": (b"Dear all, the goods have come.", "x12.not-edi", Severity.ERROR),
    "EDIFACT": (b"UNB+UNOC:3+A+B+260310:1405+1'", "x12.edifact", Severity.ERROR),
    "a set without an envelope": (FILE[FILE.index(b"ST*") : FILE.index(b"GE*")], "x12.headless", Severity.ERROR),
    "an ISA that breaks off": (FILE[:60], "x12.isa-unreadable", Severity.ERROR),
}


@pytest.mark.parametrize(("data", "code", "severity"), OUTSIDE.values(), ids=OUTSIDE)
def test_it_says_what_is_no_interchange(data, code, severity):
    first = events(data)[0]
    assert isinstance(first, x12.FileFinding)
    assert (first.finding.code, first.finding.severity) == (code, severity)


def test_it_reads_several_interchanges_with_delimiters_of_their_own():
    other = FILE.replace(b"*", b"|").replace(b"~", b"\n").replace(b"901", b"902")
    found = sets_of(FILE + b"\n" + other + FILE)
    assert [each.interchange.control for each in found] == ["000000901", "000000902", "000000901"]
    assert codes_of(FILE + b"\n" + other + FILE) == []


def test_it_closes_an_interchange_when_the_next_one_begins():
    data = cut(FILE, b"IEA") + FILE.replace(b"*", b"|")
    assert codes_of(data) == ["x12.iea-missing"]
    assert len(sets_of(data)) == 2


def test_it_accepts_the_first_and_rejects_the_half_second_interchange():
    ends = [event for event in events(FILE + FILE[:150]) if isinstance(event, x12.InterchangeEnd)]
    assert [end.accepted for end in ends] == [True, False]


def test_it_reports_garbage_between_interchanges_and_headless_sets_behind_one():
    assert codes_of(FILE + b"-- sent by relay --" + FILE) == ["x12.garbage"]
    assert codes_of(FILE + FILE[FILE.index(b"GS*") :]) == ["x12.headless"]


def test_it_reads_groups_of_several_kinds_and_notes_a_repeated_group_number():
    group = FILE[FILE.index(b"GS*") : FILE.index(b"IEA*")]
    data = FILE.replace(b"IEA*1*", group + b"IEA*2*")
    assert codes_of(data) == ["x12.gs06-repeated"]
    assert [event.ordinal for event in sets_of(data)] == [1, 1]


def test_it_hands_out_the_ta1_of_a_partner():
    data = FILE.replace(b"GS*RE", b"TA1*000000044*260309*0800*A*000~GS*RE")
    _, ack, *_ = events(data)
    assert isinstance(ack, x12.InterchangeAck) and ack.segment.get(1) == "000000044"
    assert codes_of(data) == []


def test_it_keeps_letters_beyond_ascii_whatever_their_encoding():
    for encoding in ("utf-8", "latin-1"):
        (found,) = sets_of(FILE.replace(b"JUNIPER DC 2", "ENTREPÔT É".encode(encoding)))
        assert found.segments[2].get(2) == "ENTREPÔT É" and found.findings == []


def test_it_finds_a_control_character_in_a_value():
    (finding,) = findings_of(FILE.replace(b"SHOE-RED-42", b"SHOE\x07RED"))
    assert (finding.ack, finding.tag, finding.element) == ("6", "W07", 5)


def test_it_lowers_and_raises_findings_as_the_partner_needs():
    bad = FILE.replace(b"SE*13*", b"SE*12*")
    assert sets_of(bad, strictness=x12.Strictness(waived=frozenset({"x12.se01-count"})))[0].accepted
    odd = FILE.replace(b"GS*RE*", b"GS*IN*")
    assert not sets_of(odd, strictness=x12.Strictness(raised=frozenset({"x12.gs01-mismatch"})))[0].accepted


def test_it_waives_a_finding_of_one_segment_or_element_only():
    long = FILE.replace(b"*EA**SK*SHOE", b"*EACH**SK*SHOE")
    assert sets_of(long, strictness=x12.Strictness(waived=frozenset({"x12.element-long:W07-02"})))[0].accepted
    assert not sets_of(long, strictness=x12.Strictness(waived=frozenset({"x12.element-long:W17"})))[0].accepted


def test_it_says_where_in_words():
    (finding,) = findings_of(FILE.replace(b"*EA**SK*SHOE", b"*EACH**SK*SHOE"))
    assert finding.where() == f"segment 7 (W07), element 02, byte {FILE.index(b'W07*2') + 1}"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", "empty"), (b"\xef\xbb\xbf \n", "empty"), (FILE[:200], "x12"), (b"Subject: x\n\n" + FILE, "x12"), (b"ST*944*0001~", "x12"),
        (b"UNA:+.? 'UNB+UNOC:3+", "edifact"), (b"UNB+UNOC:3+", "edifact"), (b"sku,qty\nA,1\n", "text"), (b"%PDF-1.4", "binary"),
        (b"PK\x03\x04....", "binary"), (b"a\0b\0", "binary"), (b"\xff\xfes\0k\0", "text"),
    ],
)  # fmt: skip
def test_it_sniffs(head, kind):
    assert x12.sniff(head) == kind


COMPLETE = {
    "whole": FILE, "with line ends": write(), "without the last terminator": FILE[:-1], "with NULs": FILE + b"\r\n\0\0\x1a",
    "wrapped": wrapped(b"\r\n"), "two": FILE + FILE, "no X12": b"sku,qty\n", "newline terminated": with_terminator(b"\n"),
}  # fmt: skip
INCOMPLETE = {
    "no IEA": cut(FILE, b"IEA"), "half a number": FILE[:-4], "a second one begun": FILE + FILE[:120], "a second one just begun": FILE + b"\nIS",
    "ISA alone": FILE[:106], "cut": FILE[:250],
}  # fmt: skip


@pytest.mark.parametrize("data", COMPLETE.values(), ids=COMPLETE)
def test_it_knows_a_file_that_is_all_there(data):
    assert x12.is_complete(data[-65536:], data[:4096])


@pytest.mark.parametrize("data", INCOMPLETE.values(), ids=INCOMPLETE)
def test_it_knows_a_file_that_is_still_coming(data):
    assert not x12.is_complete(data[-65536:], data[:4096])


@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n", b"\n   "])
@pytest.mark.parametrize("wrap", [0, 80, 7])
def test_it_knows_the_very_bytes_of_each_set(line_end, wrap):
    data = flat(RECEIPT, RECEIPT).replace(b"~", b"~" + line_end)
    if wrap:
        data = data[:200] + b"\n".join(data[at : at + wrap] for at in range(200, len(data), wrap))
    for found in sets_of(data):
        own = data[found.offset - 1 : found.end_offset].replace(b"\n", b"").replace(b"\r", b"")
        assert own.startswith(b"ST*944*") and own.endswith(found.control.encode() + b"~") and own.count(b"SE*") == 1


def test_it_tells_the_line_in_a_file_that_has_lines():
    (finding,) = findings_of(write(RECEIPT.replace("*EA**SK*SHOE", "*EACH**SK*SHOE")))
    assert finding.line == 9
    (finding,) = findings_of(write().replace(b"GE*1*", b"GE*2*"))
    assert finding.line == 16
    (finding,) = findings_of(with_terminator(b"\r").replace(b"SE*13*", b"SE*12*"))
    assert finding.line == 15
