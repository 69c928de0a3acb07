"""EDIFACT: the events of a file, what is tolerated, every fault of an envelope, the inside of messages, and writing."""

import pytest
from edifact_cases import RECEIPT, codes_of, envelope, events, findings_of, flat, inside, messages_of, write

from gateway.edi import edifact, edifact_check, edifact_tables
from gateway.edi.edifact_faults import FAULTS
from gateway.edi.syntax import Severity

FILE = flat()
E, N = Severity.ERROR, Severity.NOTE


def test_it_tells_a_file_as_events_in_its_order():
    assert [type(event).__name__ for event in events(write())] == ["InterchangeStart", "Message", "InterchangeEnd"]


def test_it_reads_the_headers():
    header = events(write(ack_requested=True, test=True, application="RET"))[0].header
    assert (header.syntax, header.syntax_version, header.sender, header.recipient, header.control) == ("UNOC", "3", "CEDARWMS", "NORTHPEAK", "2208")
    assert (header.date, header.time, header.ack_requested, header.test, header.application) == ("260721", "1612", True, True, "RET")


def test_it_reads_segments_with_components_ordinals_and_byte_offsets():
    data = write()
    (found,) = messages_of(data)
    assert found.accepted and (found.message_type, found.version, found.release, found.control) == ("RECADV", "D", "96A", "1")
    for ordinal, segment in enumerate(found.segments, 1):
        assert segment.ordinal == ordinal and data[segment.offset - 1 :].startswith(segment.tag.encode() + b"+")
    assert data[found.offset - 1 : found.end_offset].endswith(b"UNT+20+1'")
    line = found.segments[9]
    assert (line.get(1), line.get(3), line.get(3, 2), line.get(9), line.get(3, 9)) == ("1", "614141000111", "UP", "", "")
    assert line.components(3) == ["614141000111", "UP"] and line.components(9) == [""]


def test_it_honours_the_release_character():
    data = flat(RECEIPT.replace("TEE-BLK-M", "IT?'S?+A?:B??"))
    (found,) = messages_of(data)
    assert b"IT?'S?+A?:B??" in data and found.segments[10].get(2) == "IT'S+A:B?" and codes_of(data) == []


def with_terminator(new):
    return FILE.replace(b"'", new)


def wrapped(line_end):
    return line_end.join(FILE[at : at + 80] for at in range(0, len(FILE), 80))


TOLERATED = {
    "no UNA": FILE[9:],
    "a byte order mark": b"\xef\xbb\xbf" + FILE,
    "leading blanks": b" \r\n\0 " + FILE,
    "LF after each terminator": with_terminator(b"'\n"),
    "CRLF after each terminator": with_terminator(b"'\r\n"),
    "indented segments": with_terminator(b"'\n   "),
    "LF as terminator": with_terminator(b"\n"),
    "a tilde as terminator": with_terminator(b"~"),
    "other service characters": FILE.replace(b"+", b"*").replace(b":", b"=").replace(b"'", b"~"),
    "no release character": FILE.replace(b"UNA:+.? '", b"UNA:+.  '"),
    "a decimal comma": FILE.replace(b"UNA:+.? '", b"UNA:+,? '").replace(b"QTY+12:2'", b"QTY+12:2,0'"),
    "wrapped at 80 columns with LF": wrapped(b"\n"),
    "wrapped at 80 columns with CRLF": wrapped(b"\r\n"),
    "NULs, Ctrl-Z and blank lines at the end": FILE + b"\n\n\0\0\x1a",
    "no terminator after UNZ": FILE[:-1],
    "zero-padded counts": FILE.replace(b"UNT+20+", b"UNT+0020+"),
    "trailing separators": FILE.replace(b"CPS+1'", b"CPS+1+++'"),
}


@pytest.mark.parametrize("data", TOLERATED.values(), ids=TOLERATED)
def test_it_tolerates(data):
    (found,) = messages_of(data)
    assert codes_of(data) == []
    expected = [[segment.tag, segment.get(1), segment.get(3)] for segment in messages_of(FILE)[0].segments[:-1]]
    assert [[segment.tag, segment.get(1), segment.get(3)] for segment in found.segments[:-1]] == expected


NOTED = {
    "edifact.una-terminator": FILE.replace(b"UNA:+.? '", b"UNA:+.? ~\r\n"),
    "edifact.syntax-unknown": FILE.replace(b"UNOC:3", b"UNOZ:3"),
    "edifact.character-set": FILE.replace(b"UNOC:3", b"UNOA:3").replace(b"TEE-BLK", "TÉÉ".encode()),
    "edifact.tag-case": FILE.replace(b"'LIN+1", b"'lin+1"),
    "edifact.garbage": b"From: Cedar Warehouse\r\n\r\n" + FILE,
    "edifact.unh-repeated": flat(RECEIPT, RECEIPT).replace(b"UNH+2+", b"UNH+1+").replace(b"UNT+20+2", b"UNT+20+1"),
    "edifact.message-unknown": FILE.replace(b"RECADV", b"ORDERS"),
    "edifact.version-nearest": FILE.replace(b"D:96A", b"D:97A"),
    "edifact.cnt-lines": FILE.replace(b"CNT+2:2", b"CNT+2:3"),
}


@pytest.mark.parametrize(("code", "data"), NOTED.items(), ids=NOTED)
def test_it_notes_and_goes_on(code, data):
    found = findings_of(data)
    assert code in [finding.code for finding in found]
    assert all(finding.severity is N for finding in found)
    assert messages_of(data) and all(each.accepted for each in messages_of(data))


def cut(data, tag):
    """The file without its first segment of this tag."""
    start = data.index(b"'" + tag + b"+") + 1
    return data[:start] + data[data.index(b"'", start) + 1 :]


def grouped(data):
    start, end = data.index(b"UNH+"), data.index(b"UNZ+")
    return data[:start] + b"UNG+RECADV+A+B+260721:1612+7+UN+D:96A'" + data[start:end] + b"UNE+1+7'" + data[end:]


FAULTY = {
    "UNT count wrong": (FILE.replace(b"UNT+20+", b"UNT+19+"), "edifact.unt01-count", "UCM", "29"),
    "UNT reference differs": (FILE.replace(b"UNT+20+1", b"UNT+20+9"), "edifact.unt02-reference", "UCM", "28"),
    "UNT missing": (cut(FILE, b"UNT"), "edifact.unt-missing", "UCM", "13"),
    "no message reference": (FILE.replace(b"UNH+1+", b"UNH++"), "edifact.unh-element", "UCM", "13"),
    "UNH missing": (cut(FILE, b"UNH"), "edifact.unh-missing", "UCI", "13"),
    "a segment outside": (FILE.replace(b"UNZ+", b"FTX+AAI'UNZ+"), "edifact.segment-outside", "UCI", "18"),
    "UNZ count wrong": (FILE.replace(b"UNZ+1+", b"UNZ+2+"), "edifact.unz01-count", "UCI", "29"),
    "UNZ reference differs": (FILE.replace(b"UNZ+1+2208", b"UNZ+1+2209"), "edifact.unz02-reference", "UCI", "28"),
    "UNZ missing": (cut(FILE, b"UNZ"), "edifact.unz-missing", "UCI", "13"),
    "cut inside a segment": (FILE[:200], "edifact.unz-missing", "UCI", "13"),
    "no sender": (FILE.replace(b"CEDARWMS:ZZ", b""), "edifact.unb-element", "UCI", "13"),
    "equal service characters": (FILE.replace(b"UNA:+.? '", b"UNA:+.+ '"), "edifact.delimiters-equal", "UCI", "18"),
    "UNE missing": (grouped(FILE).replace(b"UNE+1+7'", b""), "edifact.une-missing", "UCF", "13"),
    "UNE count wrong": (grouped(FILE).replace(b"UNE+1", b"UNE+2"), "edifact.une01-count", "UCF", "29"),
    "UNE reference differs": (grouped(FILE).replace(b"UNE+1+7", b"UNE+1+8"), "edifact.une02-reference", "UCF", "28"),
    "UNG missing": (grouped(FILE).replace(b"UNG+RECADV+A+B+260721:1612+7+UN+D:96A'", b""), "edifact.ung-missing", "UCI", "13"),
    "no terminator for ever": (FILE[:150] + b"A" * 1_500_000 + FILE[150:], "edifact.segment-endless", "UCI", "18"),
}


@pytest.mark.parametrize(("data", "code", "kind", "ack"), FAULTY.values(), ids=FAULTY)
def test_it_finds(data, code, kind, ack):
    (found,) = [finding for finding in findings_of(data) if finding.code == code]
    assert (found.severity, found.ack_kind, found.ack) == (E, kind, ack)
    assert found.message and found.remedy and found.offset > 0


OUTSIDE = {
    "nothing": (b"", "edifact.empty", N),
    "blanks": (b" \r\n\x1a", "edifact.empty", N),
    "a letter": (b"Dear all, the goods have come.", "edifact.not-edi", E),
    "X12": (b"ISA*00*          *00*          *ZZ*A              *ZZ*B              *260310*1405*U*00401*000000901*0*T*>~", "edifact.x12", E),
    "messages without an envelope": (FILE[FILE.index(b"UNH+") : FILE.index(b"UNZ+")], "edifact.headless", E),
    "a UNB that breaks off": (FILE[:30], "edifact.unb-unreadable", E),
}


@pytest.mark.parametrize(("data", "code", "severity"), OUTSIDE.values(), ids=OUTSIDE)
def test_it_says_what_is_no_interchange(data, code, severity):
    first = events(data)[0]
    assert isinstance(first, edifact.FileFinding)
    assert (first.finding.code, first.finding.severity) == (code, severity)


def test_it_reads_groups():
    names = [type(event).__name__ for event in events(grouped(FILE))]
    assert names == ["InterchangeStart", "GroupStart", "Message", "GroupEnd", "InterchangeEnd"] and codes_of(grouped(FILE)) == []
    *_, group, end = events(grouped(FILE))
    assert (group.declared, group.counted, group.accepted, end.accepted) == (1, 1, 1, True)


def test_it_notes_a_repeated_group_and_messages_outside_groups():
    start, end = FILE.index(b"UNH+"), FILE.index(b"UNZ+")
    group = grouped(FILE)[start : grouped(FILE).index(b"UNZ+")]
    twice = FILE[:start] + group + group.replace(b"UNH+1", b"UNH+2").replace(b"UNT+20+1", b"UNT+20+2") + FILE[end:].replace(b"UNZ+1", b"UNZ+2")
    assert codes_of(twice) == ["edifact.ung-repeated"]
    mixed = FILE[:end] + group.replace(b"UNH+1", b"UNH+2").replace(b"UNT+20+1", b"UNT+20+2") + FILE[end:]
    assert codes_of(mixed) == ["edifact.ungrouped"]


def test_it_reads_several_interchanges_with_service_characters_of_their_own():
    other = FILE.replace(b"+", b"*").replace(b"'", b"~").replace(b"2208", b"2209")
    found = messages_of(FILE + b"\n" + other + FILE)
    assert [each.interchange.control for each in found] == ["2208", "2209", "2208"]
    assert codes_of(FILE + b"\n" + other + FILE) == []


def test_it_closes_an_interchange_when_the_next_one_begins():
    data = cut(FILE, b"UNZ") + FILE.replace(b"+", b"*").replace(b"'", b"~")
    assert codes_of(data) == ["edifact.unz-missing"] and len(messages_of(data)) == 2


def test_it_tests_every_fault_of_its_table():
    tested = {code for _, code, _, _ in FAULTY.values()} | set(NOTED) | {code for _, code, _ in OUTSIDE.values()}
    assert set(FAULTS) - tested == {"edifact.ung-repeated", "edifact.ungrouped"}


def test_it_knows_a_file_that_is_still_coming():
    for data in (FILE, write(), wrapped(b"\n"), FILE + FILE, b"sku,qty\n"):
        assert edifact.is_complete(data[-65536:], data[:4096])
    for data in (cut(FILE, b"UNZ"), FILE[:-1], FILE + FILE[:60], FILE[:200]):
        assert not edifact.is_complete(data, data)


def brief(findings):
    return [(finding.severity, finding.segment, finding.tag, finding.element, finding.component, finding.ack) for finding in findings]


def changed(old, new):
    assert old in RECEIPT
    return RECEIPT.replace(old, new, 1)


INSIDE = {
    "no BGM": (changed("BGM+632+CW0044872+9\n", ""), [(E, 2, "BGM", None, None, "13")]),
    "no party": (changed("NAD+SU+NORTHPEAK::92\nNAD+DP+DC04::92\n", ""), [(N, 7, "NAD", None, None, "13")]),
    "an unknown segment": (RECEIPT + "ZZ9+X", [(E, 20, "ZZ9", None, None, "15")]),
    "a segment of another message": (changed("CPS+1\n", "CPS+1\nSTS+1\n"), [(N, 10, "STS", None, None, "15")]),
    "a quantity in front of its line": (changed("CPS+1\n", "CPS+1\nQTY+48:1\n"), [(E, 10, "QTY", None, None, "15")]),
    "a date too late": (RECEIPT.replace("CNT+2:2", "BGM+632\nCNT+2:2"), [(N, 19, "BGM", None, None, "15")]),
    "lines without a CPS": (changed("CPS+1\n", ""), [(N, 9, "LIN", None, None, "15"), (N, 15, "LIN", None, None, "15")]),
    "CNT twice": (RECEIPT + "CNT+1:2", [(N, 20, "CNT", None, None, "35")]),
    "eleven references": (changed("RFF+AAK:R8675309\n", "RFF+AAK:R8675309\n" * 10), [(N, 15, "RFF", None, None, "36")]),
    "no quantity": (changed("QTY+12:2", "QTY+12"), [(E, 12, "QTY", 1, 2, "13")]),
    "a quantity of letters": (changed("QTY+12:2", "QTY+12:TWO"), [(E, 12, "QTY", 1, 2, "37")]),
    "a long item number": (changed("614141000111", "6" * 36), [(N, 10, "LIN", 3, 1, "39")]),
    "an unknown state": (changed("CDI+1+4", "CDI+1+99"), [(N, 18, "CDI", 2, 1, "12")]),
    "a component too many": (changed("QTY+12:2", "QTY+12:2:PCE:X"), [(N, 12, "QTY", 1, 4, "16")]),
    "an element too many": (changed("CPS+1", "CPS+1+2+3+4"), [(N, 9, "CPS", 4, None, "16")]),
    "an empty segment": (changed("QTY+12:2", "QTY"), [(E, 12, "QTY", 1, None, "13")]),
}


@pytest.mark.parametrize(("body", "expected"), INSIDE.values(), ids=INSIDE)
def test_it_judges_the_inside(body, expected):
    assert brief(inside(body)) == expected


@pytest.mark.parametrize("quantity", ["2", "00000016", "2.5", "2,5", "-2", "0"])
def test_it_takes_quantities_as_they_come(quantity):
    assert inside(changed("QTY+12:2", f"QTY+12:{quantity}")) == []


def test_it_lowers_and_raises_findings_as_the_partner_needs():
    bad = changed("QTY+12:2", "QTY+12:TWO")
    waived = edifact.Strictness(waived=frozenset({"edifact.element-character:QTY-01"}))
    assert messages_of(write(bad), strictness=waived)[0].accepted
    raised = edifact.Strictness(raised=frozenset({"edifact.element-code"}))
    assert not messages_of(write(changed("CDI+1+4", "CDI+1+99")), strictness=raised)[0].accepted


def test_it_says_where_in_words_and_lines():
    (finding,) = inside(changed("QTY+12:2", "QTY+12:TWO"))
    assert finding.where().startswith("segment 12 (QTY), element 01 component 2, line 14, byte ") and "Quantity" in finding.message


def test_it_has_tables_for_the_messages_of_returns():
    for message, release in [(m, r) for m in ("DESADV", "RECADV", "INVRPT", "CONTRL", "APERAK") for r in ("96A", "01B")] + [("RETANN", "01B")]:
        assert edifact_check.checker_for(message, "D", release).notes == ()
    assert edifact_tables.nearest("RETANN", "D", "96A") == ("D01B", False) and edifact_tables.nearest("DESADV", "D", "00A") == ("D01B", False)
    assert len(set(edifact_check.SEGMENT_CODES)) == 7 and len(set(edifact_check.ELEMENT_CODES)) == 6


def test_it_writes_the_envelope_to_the_byte():
    data = edifact.write_interchange(header=envelope(), messages=[("1", "CONTRL:D:3:UN", [["UCI", "2207", ["A", "ZZ"], ["B", ""], "7", ""]])])
    assert data == (
        b"UNA:+.? '\r\nUNB+UNOC:3+CEDARWMS:ZZ+NORTHPEAK:ZZ+260721:1612+2208'\r\nUNH+1+CONTRL:D:3:UN'\r\nUCI+2207+A:ZZ+B+7'\r\nUNT+3+1'\r\nUNZ+1+2208'\r\n"
    )


@pytest.mark.parametrize(
    ("syntax", "value"), [("UNOA", "lower"), ("UNOB", "É"), ("UNOC", "漢"), ("UNOC", "a\nb"), ("UNOC", "a\x07b"), ("UNOA", "A#B")]
)
def test_it_refuses_what_the_character_set_has_not(syntax, value):
    with pytest.raises(edifact.UnwritableValue, match=r"Segment 3 .BGM., element 02"):
        edifact.write_interchange(header=envelope(syntax=syntax), messages=[("1", "RECADV:D:96A:UN", [["BGM", "632", value]])])
    edifact.write_interchange(header=envelope(syntax=syntax), messages=[("1", "RECADV:D:96A:UN", [["BGM", "632", edifact.clean(value, syntax)]])])


def test_it_refuses_delimiters_where_nothing_can_release_them():
    bare = edifact.Delimiters(release=None)
    with pytest.raises(edifact.UnwritableValue):
        edifact.write_interchange(header=envelope(delimiters=bare), messages=[("1", "RECADV:D:96A:UN", [["BGM", "632", "A+B"]])])
    with pytest.raises(edifact.UnwritableValue):
        edifact.write_interchange(header=envelope(delimiters=edifact.Delimiters(element=b":")), messages=[])


@pytest.mark.parametrize(
    ("syntax", "text", "expected"), [("UNOA", "Größe é #1", "GROSSE E  1"), ("UNOC", "é 漢 – x", "é   - x"), ("UNOY", "é 漢", "é 漢")]
)
def test_it_cleans_texts(syntax, text, expected):
    assert edifact.clean(text, syntax) == expected


@pytest.mark.parametrize(
    ("syntax", "encoding", "text"), [("UNOC", "latin-1", "ENTREPÔT"), ("UNOC", "utf-8", "ENTREPÔT"), ("UNOE", "iso8859-5", "Склад")]
)
def test_it_reads_letters_by_the_character_set_or_utf_8(syntax, encoding, text):
    data = FILE.replace(b"UNOC:3", syntax.encode() + b":3").replace(b"TEE-BLK-M", text.encode(encoding))
    assert messages_of(data)[0].segments[10].get(2) == text
