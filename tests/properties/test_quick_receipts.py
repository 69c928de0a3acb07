"""A receipt taken from the bytes of a set is the one that the long way makes of its segments, whatever the set and the profile say."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.items import Catalogue, Item
from gateway.edi import dictionary, dictionary_pattern, x12
from gateway.mapping import inbound, profiles, quick_receipts
from tests.properties.test_x12 import write

CATALOGUE = Catalogue.of([Item(sku="SHOE-1", upc="614145550011"), Item(sku="SHOE-2", upc="614145550028"), Item(sku="7")], {("JUNIPER", "J7"): "7"})
PROFILES = [
    profiles.read_profile(f'partner = "JUNIPER"\nname = "J"\n[x12]\npartner_id = "J"\nour_id = "A"\n[receive.x12_receipt]\n{rules}', source="a test")
    for rules in (
        'damaged_quantity = "included"\nabsent_lines = "as_announced"\n',
        'damaged_quantity = "on_top"\nitems = ["UP", "SK"]\nra = ["N9-02", "N9*RZ", "W17-05"]\nwarehouse = ["N1*WH"]\nwarehouses = { "DC 2" = "W2" }\n',
        'damaged_quantity = "included"\ncheck_total = false\nfinal = ["W17-01=f"]\nunits = { EA = 1, CA = 6 }\n',
    )
]  # fmt: skip

words = st.sampled_from(["RA1", "RA2", "RA 3", "RA4", "FINAL", "final", "20260310", "1Z9 "])
references = st.lists(st.tuples(st.just("N9"), st.sampled_from(["RZ", "QJ", "WR", "2I", "ZZ", "CO", "LI"]), words, words).map(list), max_size=3)
days = st.lists(st.tuples(st.just("G62"), st.sampled_from(["19", "17"]), st.just("20260311")).map(list), max_size=2)
heading = st.builds(lambda first, then: first + then, references, days)
items = st.sampled_from(["SHOE-1", "SHOE-2", "J7", "614145550028", "0614145550028", "nothing we know", "7x"])
pairs = st.lists(st.tuples(st.sampled_from(["SK", "UP", "LT", "VN"]), items), min_size=1, max_size=2).map(
    lambda found: [part for pair in found for part in pair]
)
quantities = st.sampled_from(["1", "2", "3", "4", "5", "7", "8", "9", "12", "0", "-1", "2.5"])
lines = st.builds(
    lambda quantity, unit, upc, pairs, marks: [["W07", quantity, unit, upc, *pairs], *marks],
    quantities, st.sampled_from(["EA", "EA", "EA", "CA"]), st.sampled_from(["", "", "614145550011"]), pairs,
    st.lists(st.one_of(st.tuples(st.just("W13"), quantities, st.just("EA"), st.sampled_from(["01", "02", "03", "04", "07", "10", "15"])).map(list),
                       st.tuples(st.just("N9"), st.sampled_from(["LI", "RZ"]), words).map(list)), max_size=2),
)  # fmt: skip
receipts = st.builds(
    lambda code, number, refs, start, told, total: [
        ["W17", code, "20260310", number, *refs],
        ["N1", "WH", "DC 2"],
        *start,
        *[segment for line in told for segment in line],
        ["W14", total or str(sum(int(line[0][1]) for line in told if line[0][1].isdigit()))],
    ],
    st.sampled_from("CFXN"), st.sampled_from(["JW1", "JW 2"]), st.lists(words, max_size=2), heading, st.lists(lines, min_size=1, max_size=4),
    st.sampled_from(["", "", "", "", "", "3"]),
)  # fmt: skip


def without_bytes(document):
    plain = copy.copy(document)
    plain.raw = None
    return plain


def sets_of(data):
    return [event for event in x12.read_sets([data]) if isinstance(event, x12.TransactionSet)]


@pytest.fixture
def eager(monkeypatch):
    if not dictionary_pattern.AVAILABLE:
        pytest.skip("this Python has no patterns")
    monkeypatch.setattr(dictionary, "_WORTH_PATTERNS", 1)
    monkeypatch.setattr(quick_receipts, "_WORTH_PATTERN", 1)


@given(receipts, st.sampled_from(PROFILES), st.booleans(), st.sampled_from([b"*|", b"|*", b"+:"]))
@settings(max_examples=300, deadline=None)
def same_receipts(told, profile, line_break, marks):
    separators = x12.Separators(element=marks[:1], component=marks[1:], terminator=b"~")
    documents = sets_of(write([told] * 4, separators, line_break=line_break))
    for document in documents:
        plain = inbound.to_receipt(without_bytes(document), profile=profile, catalogue=CATALOGUE)
        assert inbound.to_receipt(document, profile=profile, catalogue=CATALOGUE) == plain


def test_it_makes_the_same_receipt_of_bytes_as_of_segments(eager):
    same_receipts()


LINE = [["W07", "2", "EA", "", "SK", "SHOE-1"], ["N9", "LI", "1"], ["W13", "1", "EA", "01"]]
RIGHT = [["W17", "C", "20260310", "JW1", "RA1"], ["N1", "WH", "DC 2"], ["N9", "RZ", "RA1"], *LINE, ["W14", "2"]]


def test_it_takes_a_receipt_from_bytes_when_its_order_has_come_before(eager):
    _, second, third = sets_of(write([RIGHT] * 3))
    plan = quick_receipts.Plan(PROFILES[0], PROFILES[0].receive.x12_receipt, CATALOGUE)
    assert [plan.read(each, "here") is not None for each in (second, third)] == [False, True]
    receipt, listed_only = plan.read(third, "here")
    assert not listed_only and (receipt.lines[0].good, receipt.lines[0].second, receipt.lines[0].condition) == (1, 1, "damaged")


@pytest.mark.parametrize("change", ["setattr", "delattr"])
def test_it_makes_documents_that_cannot_change(change):
    line = quick_receipts._make_line("a", "A", 1, 0, 0, "", "", "")
    with pytest.raises(AttributeError):
        setattr(line, "good", 2) if change == "setattr" else delattr(line, "good")
    assert line == inbound.ReceiptLine(stated="a", sku="A", good=1, second=0) and hash(line)


def test_it_leaves_a_profile_that_says_more_to_the_long_way(monkeypatch):
    monkeypatch.setattr(quick_receipts, "KEYS", quick_receipts.KEYS - {"warehouses"})
    assert quick_receipts.plan_for(PROFILES[0].model_copy(), CATALOGUE) is not None
    assert quick_receipts.plan_for(PROFILES[1].model_copy(), CATALOGUE) is None
