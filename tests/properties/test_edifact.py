"""What holds for every EDIFACT file: written is read, chunks do not matter, and damage is never silent nor fatal."""

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edi import edifact, edifact_check
from gateway.edi.dictionary_pattern import Marks, message_pattern
from gateway.edi.edifact_tables import load
from gateway.edi.x12_parts import Separators
from tests.properties import accounting

TEXT = string.ascii_letters + string.digits + " .,-/()&#'\"+:?*éÜ"
values = st.text(TEXT, max_size=12).map(str.rstrip)
filled = values.filter(bool)
elements = st.one_of(values.map(lambda value: [value]), st.builds(lambda parts, last: [*parts, last], st.lists(values, max_size=3), filled))
segments = st.builds(
    lambda tag, inside, last: [tag, *inside, [last]],
    st.sampled_from(["BGM", "RFF", "LIN", "QTY", "ZZ9", "NAD", "FTX"]),
    st.lists(elements, max_size=5),
    filled,
)
bodies = st.lists(segments, max_size=10)
service = st.lists(st.sampled_from("+:*'~|^!;=\x1c\x1d\x1e\x1f"), min_size=3, max_size=3, unique=True)

RECEIPT = edifact.parse_body(
    "BGM+632+CW0044871+9\nDTM+50:20260721:102\nRFF+ALQ:R8675309\nNAD+DP+DC04::92\nCPS+1\nLIN+1++614141000111:UP\nPIA+1+IT?'S?+ONE:SA\nQTY+48:2\nCNT+2:1"
)
PLAIN = edifact.parse_body("BGM+632+CW0044871+9\nDTM+50:20260721:102\nNAD+DP+DC04::92\nCPS+1\nLIN+1++614141000111:UP\nQTY+48:2\nCNT+2:1")


def envelope(**changes):
    return edifact.Envelope(
        sender="CEDARWMS", sender_qualifier="ZZ", recipient="NORTHPEAK", control="2207", at=datetime(2026, 7, 21, 16, 12, tzinfo=UTC), **changes
    )


def write(each_body, **changes):
    messages = [(str(n), "RECADV:D:96A:UN", body) for n, body in enumerate(each_body, 1)]
    return edifact.write_interchange(header=envelope(**changes), messages=messages)


def contents(events):
    return [[[s.tag, *s.elements] for s in event.segments[1:-1]] for event in events if isinstance(event, edifact.Message)]


def told(data, size=None):
    chunks = [data] if size is None else [data[at : at + size] for at in range(0, len(data), size)]
    return accounting.told(edifact.read_messages(chunks))


FILE = write([RECEIPT, RECEIPT], line_break=False)


@given(st.lists(bodies, max_size=3), st.booleans())
@settings(deadline=None)
def test_it_reads_what_it_wrote(each_body, line_break):
    events = list(edifact.read_messages([write(each_body, line_break=line_break)]))
    assert contents(events) == each_body
    assert events[-1].accepted and events[-1].findings == []


@given(service, st.booleans(), st.sampled_from([b"?", b"\\", b"%"]))
@settings(deadline=None)
def test_it_reads_any_permitted_service_characters(three, line_break, release):
    component, element, terminator = (character.encode() for character in three)
    delimiters = edifact.Delimiters(component, element, b".", release, terminator)
    events = list(edifact.read_messages([write([RECEIPT], delimiters=delimiters, line_break=line_break)]))
    assert contents(events) == [[[tag, *inside] for tag, *inside in RECEIPT]]
    assert events[0].header.delimiters == delimiters and events[-1].accepted


@given(st.integers(1, 700), st.booleans())
@settings(deadline=None)
def test_it_reads_the_same_in_any_chunks(size, line_break):
    data = write([RECEIPT, RECEIPT], line_break=line_break) + b"\r\n" + FILE.replace(b"+", b"*").replace(b"*.", b"+.", 0) + b"\x1a"
    assert told(data, size) == told(data)


@given(st.integers(0, len(FILE) - 1), st.integers(0, 255))
@settings(max_examples=400, deadline=None)
def test_it_reads_the_same_segments_or_says_why_not_after_any_mutation(at, byte):
    data = FILE[:at] + bytes([byte]) + FILE[at + 1 :]
    events = list(edifact.read_messages([data]))
    same_shape = [[segment[0] for segment in each] for each in contents(events)] == [[each[0] for each in RECEIPT]] * 2
    assert same_shape or accounting.findings_in(events)
    assert accounting.unaccounted_edifact(data) == []


@pytest.mark.parametrize("size", range(len(FILE) - 1))
def test_it_never_takes_a_cut_file_for_a_whole_one(size):
    events = list(edifact.read_messages([FILE[:size]]))
    whole = FILE[:size].endswith(b"UNZ+2+2207")
    assert whole or accounting.findings_in(events)
    assert whole or not any(isinstance(event, edifact.InterchangeEnd) and event.accepted for event in events)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_it_reads_any_bytes(data):
    list(edifact.read_messages([data]))
    list(edifact.read_messages([FILE[:200] + data + FILE[200:]]))
    edifact.is_complete(data, data)


MANY = [PLAIN, PLAIN, RECEIPT, PLAIN, PLAIN]


@given(st.sampled_from([b"", b"\n", b"\r\n"]), st.lists(st.tuples(st.integers(60, 1000), st.binary(max_size=3), st.integers(0, 9)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_the_quick_and_the_long_way_tell_the_same(line_end, changes):
    data = write(MANY, line_break=False).replace(b"'", b"'" + line_end).replace(b"?'" + line_end, b"?'")
    for at, new, gone in changes:
        data = data[:at] + new + data[at + gone :]
    assert told_with(0, data) == told_with(1 << 30, data)


def told_with(worth, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edifact_check, "WORTH_PATTERNS", worth)
        return told(data)


KNOWN = st.sampled_from(["", " ", "1", "48", "EA", "20260721", "2.5", "A B", "A ", "-3", "R", "X" * 40])


@given(st.sampled_from(["D96A", "D01B"]), st.data())
@settings(max_examples=150, deadline=None)
def test_it_takes_no_message_for_clean_that_the_long_check_would_fault(directory, data):
    table = load(directory)
    kind = data.draw(st.sampled_from(sorted(table.sets)))
    body = [segment for segment in bodies_of(table.sets[kind], table, data.draw) if segment[0] not in ("UNH", "UNT")]
    message = edifact.write_message("1", f"{kind}:{directory[0]}:{directory[1:]}:UN", body)
    text = b"".join("+".join(e if isinstance(e, str) else ":".join(e) for e in segment).encode() + b"'" for segment in message)
    marks = Marks(Separators(b"+", b":", None, b"'"), b"", nested=True, release=b"?")
    if message_pattern((kind, directory[0], directory[1:]), table, marks).fullmatch(text):
        made = [edifact.Segment(s[0], [[e] if isinstance(e, str) else list(e) for e in s[1:]], at) for at, s in enumerate(message, 1)]
        found = edifact_check.MessageCheck(kind, directory[0], directory[1:]).judge(made, edifact.Delimiters())
        assert [finding for finding in found if finding.code != "edifact.cnt-lines"] == []


def bodies_of(nodes, table, draw):
    """Segments in the order of the table, some of them left out, repeated, or filled with odd values."""
    made = []
    for node in nodes:
        if node.tolerated:
            continue
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 0) if node.need == "M" else (0, 0, 0, 0, 0, 0, 0, 0, 1, 2)))):
            made.append([node.tag, *(value_of(rule, draw) for rule in table.segments[node.tag].elements[: draw(st.integers(1, 4))])])
            made += bodies_of(node.inside, table, draw)
    return made


def value_of(rule, draw):
    if rule.components:
        return [value_of(part, draw) for part in rule.components[: draw(st.integers(1, 3))]]
    if rule.codes and draw(st.booleans()):
        return min(rule.codes)
    return draw(st.one_of(st.just("2" if rule.kind == "R" else "X" * rule.shortest), KNOWN))
