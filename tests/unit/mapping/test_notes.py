"""Notes that fit: whole facts, the most important first, none cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mapping import notes

TEMPLATE = "{{ ra }} receipt {{ receipts }}: {{ facts }}. Please review.\n"
VALUES = {"ra": "RA77000001", "receipts": "WR5501"}
FACTS = st.lists(st.from_regex(r"\A[A-Z]{2,6}-[0-9]{1,4} short [0-9]{1,4} of [0-9]{1,4}\Z"), min_size=1, max_size=40)


@settings(deadline=None)  # the first call makes the templates' environment
@given(FACTS)
def test_it_keeps_whole_facts_in_their_order_and_counts_the_rest(told: list[str]) -> None:
    note = notes.write(TEMPLATE, VALUES, told, longest=254)
    assert len(note) <= 254
    inner = note.removeprefix("RA77000001 receipt WR5501: ").removesuffix(". Please review.").split("; ")
    rest = int(inner.pop().split()[1]) if inner[-1].startswith("and ") else 0
    assert inner == told[: len(inner)]
    assert len(inner) + rest == len(told)


def test_it_leaves_out_no_more_than_it_must() -> None:
    told = [f"SKU-{n:03d} short 1 of 1" for n in range(40)]
    shorter = notes.write(TEMPLATE, VALUES, told, longest=254)
    kept = shorter.count("short")
    longer = notes.join(told, kept + 1)
    assert len(shorter) <= 254 < len(f"RA77000001 receipt WR5501: {longer}. Please review.")


def test_one_fact_that_is_too_long_is_cut_at_a_word() -> None:
    note = notes.write(TEMPLATE, VALUES, ["very long " * 60 + "12345"], longest=254)
    assert len(note) <= 254
    assert note.endswith("long … (more in the gateway)") or note.endswith("very … (more in the gateway)")


@pytest.mark.parametrize(("found", "line"), [([], ""), (["A", "A", "B"], "A, B"), (list("ABCDE"), "A, B, C and 2 more")])
def test_it_lists_few_numbers_and_counts_many(found: list[str], line: str) -> None:
    assert notes.numbers(found) == line
