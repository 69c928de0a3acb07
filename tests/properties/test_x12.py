"""What holds for every X12 file: written is read, chunks do not matter, and damage is never silent nor fatal."""

import string
from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edi import dictionary, x12, x12_header, x12_split, x12_write
from gateway.edi.dictionary_elements import check
from gateway.edi.dictionary_pattern import Marks, segment_pattern, set_pattern
from gateway.edi.dictionary_tables import load

TEXT = string.ascii_letters + string.digits + " .,-/()&#'\""
values = st.text(TEXT, max_size=12).map(str.rstrip)
tags = st.sampled_from(["W17", "N9", "W07", "LIN", "ZZ9", "N1", "NTE"])
segments = st.builds(lambda tag, elements, last: [tag, *elements, last], tags, st.lists(values, max_size=6), values.filter(bool))
bodies = st.lists(segments, max_size=12)
delimiters = st.lists(st.sampled_from("*|~^:>+!\x1c\x1d\x1e\x1f\x15\n\\;"), min_size=4, max_size=4, unique=True).filter(
    lambda four: not set(four) & {"\n"} or four[3] == "\n"
)


def envelope(separators=None, **changes):
    return x12.Envelope(
        sender_qualifier="ZZ", sender="JUNIPER3PL", receiver_qualifier="ZZ", receiver="ACMESHOES", group_sender="JUNIPER3PL",
        group_receiver="ACMESHOES", functional_id="RE", interchange_control=901, group_control=901,
        at=datetime(2026, 3, 10, 14, 5, tzinfo=UTC), separators=separators or x12.Separators(), **changes,
    )  # fmt: skip


def write(each_body, separators=None, **changes):
    sets = [("944", n, body) for n, body in enumerate(each_body, 1)]
    return x12.write_interchange(header=envelope(separators, **changes), sets=sets)


def contents(events):
    return [[[s.tag, *s.elements] for s in event.segments[1:-1]] for event in events if isinstance(event, x12.TransactionSet)]


def told(data, size=None):
    """Everything the events of a file say, in a form that can be compared."""
    chunks = [data] if size is None else [data[at : at + size] for at in range(0, len(data), size)]
    said = []
    for event in x12.read_sets(chunks):
        if isinstance(event, x12.TransactionSet):
            said.append((event.set_id, event.control, event.segments, event.findings, event.ordinal, event.offset, event.end_offset))
        else:
            said.append(event)
    return said


RECEIPT = x12.parse_body(
    "W17*C*20260310*JW0000417*RA55120*RA55120\nN1*WH*JUNIPER DC 2*92*DC02\nN9*RZ*RA55120\nG62*19*20260310\n"
    "W07*2*EA**SK*SHOE-RED-42*UP*614145550011\nN9*LI*1\nW14*2*2"
)
FILE = write([RECEIPT, RECEIPT])


@given(st.lists(bodies, max_size=4), st.booleans())
@settings(deadline=None)
def test_it_reads_what_it_wrote(each_body, line_break):
    data = write(each_body, line_break=line_break)
    events = list(x12.read_sets([data]))
    assert contents(events) == each_body
    *_, group, end = events
    assert end.accepted and end.findings == [] and group.counted == len(each_body) and group.findings == []


@given(delimiters, st.booleans())
@settings(deadline=None)
def test_it_reads_any_permitted_delimiters(four, line_break):
    element, component, repetition, terminator = (character.encode() for character in four)
    separators = x12.Separators(element, component, repetition, terminator)
    events = list(x12.read_sets([write([RECEIPT], separators, version="005010", line_break=line_break)]))
    assert contents(events) == [RECEIPT]
    assert events[0].header.separators == separators and events[-1].accepted


@given(st.integers(1, 700), st.booleans())
@settings(deadline=None)
def test_it_reads_the_same_in_any_chunks(size, line_break):
    data = write([RECEIPT, RECEIPT], line_break=line_break) + b"\r\n" + FILE.replace(b"*", b"|") + b"\x1a"
    assert told(data, size) == told(data)


@pytest.mark.parametrize("block", [1, 7, 64, 300, 1000])
@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n", b"\n  "])
def test_it_reads_the_same_in_any_blocks(monkeypatch, block, line_end):
    data = write([RECEIPT] * 9, line_break=False).replace(b"~", b"~" + line_end)
    whole = told(data + data.replace(b"*", b"|"))
    monkeypatch.setattr(x12_split, "BLOCK", block)
    monkeypatch.setattr(x12_header, "_SLICE", 16)
    assert told(data + data.replace(b"*", b"|")) == whole


def has_finding(events):
    return any(isinstance(event, x12.FileFinding) or getattr(event, "findings", None) for event in events)


@given(st.integers(0, len(FILE) - 1), st.integers(0, 255))
@settings(max_examples=400, deadline=None)
def test_it_reads_the_same_segments_or_says_why_not_after_any_mutation(at, byte):
    events = list(x12.read_sets([FILE[:at] + bytes([byte]) + FILE[at + 1 :]]))
    same_shape = [[segment[0] for segment in each] for each in contents(events)] == [[each[0] for each in RECEIPT]] * 2
    assert same_shape or has_finding(events)


@pytest.mark.parametrize("size", range(len(FILE) - 3))
def test_it_never_takes_a_cut_file_for_a_whole_one(size):
    events = list(x12.read_sets([FILE[:size]]))
    assert has_finding(events)
    assert not any(isinstance(event, x12.InterchangeEnd) and event.accepted for event in events)
    assert size == 0 or not x12.is_complete(FILE[:size], FILE[:size]) or x12.sniff(FILE[:size]) != "x12"


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_it_reads_any_bytes(data):
    list(x12.read_sets([data]))
    list(x12.read_sets([FILE[:200] + data + FILE[200:]]))
    x12.is_complete(data, data)


KNOWN = st.sampled_from(
    ["", " ", "1", "04", "EA", "20260310", "20261310", "1405", "2.5", "A B", "A ", "EA>1", "614145550011", "X" * 40, "-3", "C", "RA", "A^B"]
)
MARKS = x12.Separators(repetition=b"^")


@given(st.sampled_from(["004010", "005010"]), st.data())
@settings(max_examples=600, deadline=None)
def test_it_takes_no_segment_for_clean_that_the_long_check_would_fault(version, data):
    rules = load(version).segments
    rule = rules[data.draw(st.sampled_from(sorted(rules)))]
    elements = data.draw(st.lists(st.one_of(KNOWN, st.none()), max_size=len(rule.elements) + 1))
    elements = [example(rule.elements[at]) if each is None and at < len(rule.elements) else each or "" for at, each in enumerate(elements)]
    text = "*".join([rule.tag, *elements]) + "~"
    if segment_pattern(rule, MARKS).match(text.encode()):
        assert check(elements, rule, ">", "^") == []


def example(rule):
    """A value that an element may hold."""
    if rule.codes:
        return min(rule.codes)
    kinds = {"DT": "20260310", "TM": "1405", "R": "2", "N0": "2", "N2": "2"}
    return example(rule.components[0]) if rule.kind == "COMP" else kinds.get(rule.kind, "X" * rule.shortest)


def bodies_of(nodes, table, draw, depth=0):
    """Segments in the order of the table, some of them left out, repeated or moved."""
    made = []
    for node in nodes:
        if node.tag in ("ST", "SE") or node.tolerated:
            continue
        times = draw(st.sampled_from((1, 1, 1, 2, 0) if node.need == "M" else (0, 0, 0, 0, 0, 0, 1, 2)))
        for _ in range(times):
            rule = table.segments[node.tag]
            last = max((at for at, each in enumerate(rule.elements, 1) if each.need == "M"), default=0)
            held = [example(each) if each.need == "M" else draw(st.sampled_from(("", "", example(each)))) for each in rule.elements[: last + 2]]
            made.append([node.tag, *held])
            made += bodies_of(node.inside, table, draw, depth + 1)
    return made


@given(st.sampled_from(["004010", "005010"]), st.sampled_from(sorted(load("004010").sets)), st.data())
@settings(max_examples=300, deadline=None)
def test_it_takes_no_set_for_clean_that_the_long_check_would_fault(version, set_id, data):
    table = load(version)
    body = bodies_of(table.sets[set_id], table, data.draw)
    tags = [segment[0] for segment in body]
    if len(body) > 1 and data.draw(st.booleans()):
        at, to = (data.draw(st.integers(0, len(body) - 1)) for _ in range(2))
        body.insert(to, body.pop(at))
    made = x12_write.write_set(set_id, 1, body)
    text = b"".join("*".join(segment).encode() + b"~" for segment in made)
    tags, parts = [segment[0] for segment in made], [segment[1:] for segment in made]
    segments = [x12.Segment(tag, elements, at) for at, (tag, elements) in enumerate(zip(tags, parts, strict=True), 1)]
    if pattern_of(set_id, version).fullmatch(text) and ("W07" in tags or set_id != "944"):
        assert dictionary.SetCheck(set_id, version).judge(tags, parts, MARKS, lambda: segments) in ((), [])


@cache
def pattern_of(set_id, version):
    return set_pattern(set_id, load(version), Marks(MARKS, b""))


MANY = [RECEIPT] * 6


@given(st.sampled_from([b"", b"\n", b"\r\n"]), st.lists(st.tuples(st.integers(107, 1400), st.binary(max_size=3), st.integers(0, 9)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_the_quick_and_the_long_way_tell_the_same(line_end, changes):
    data = write(MANY, line_break=False).replace(b"~", b"~" + line_end)
    for at, new, gone in changes:
        data = data[:at] + new + data[at + gone :]
    assert told_with(0, data) == told_with(1 << 30, data)


def told_with(worth, data):
    """What is told when patterns are worth it after so many sets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dictionary, "_WORTH_PATTERNS", worth)
        return told(data)


@given(st.text(max_size=30))
@settings(deadline=None)
def test_it_cleans_any_text_into_one_that_can_be_written(text):
    cleaned = x12.clean(text)
    data = write([[["NTE", "GEN", "X" + cleaned]]])
    assert contents(x12.read_sets([data])) == [[["NTE", "GEN", "X" + cleaned]]]


def test_it_knows_every_set_it_has_a_table_for():
    assert all(dictionary.checker_for(set_id, version).notes == () for version in ("004010", "005010") for set_id in load(version).sets)
