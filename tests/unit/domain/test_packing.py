"""Pieces, bundles and boxes of an RA."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import packing
from gateway.domain.documents import Label, ReturnUnit
from gateway.domain.items import Catalogue, Item

SET = Catalogue.of([Item(sku="SET"), Item(sku="TOP"), Item(sku="SOCK")], bundles={"SET": (("TOP", 1), ("SOCK", 2))})


def unit(number: int, sku: str, value: str = "108.00", tax: str = "8.00") -> ReturnUnit:
    """A unit worth something, tax included."""
    return ReturnUnit(line_item_id=str(number), order_line_id="L", sku=sku, value=Decimal(value), tax=Decimal(tax))


def pieces(*units: ReturnUnit) -> list[packing.Piece]:
    """The pieces of units."""
    return [piece for one in units for piece in packing.pieces(one, SET.by_sku[one.sku], SET, currency="USD")]


def box(tracking: str, *units: int) -> Label:
    """A label of a box."""
    return Label(carrier="UPS", tracking_number=tracking, status="", line_item_ids=tuple(str(number) for number in units))


def test_a_bundle_becomes_its_components_worth_what_the_bundle_is_worth() -> None:
    top, sock = packing.lines(pieces(unit(1, "SET")))
    assert [(line.sku, line.quantity, line.unit_ids) for line in (top, sock)] == [("TOP", 1, ("1",)), ("SOCK", 2, ("1",))]
    assert (top.value + sock.value, top.tax + sock.tax) == (Decimal("100.00"), Decimal("8.00"))
    assert [(part.bundle, part.quantity) for part in sock.bundle_parts] == [("SET", 2)]


def test_a_component_returned_beside_a_bundle_joins_its_line() -> None:
    (_, sock) = packing.lines(pieces(unit(1, "SET"), unit(2, "SOCK", "10.80", "0.80")))
    assert (sock.quantity, sock.unit_ids, len(sock.bundle_parts)) == (3, ("1", "2"), 1)


@given(st.decimals(0, 10_000, places=2), st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_an_amount_spread_over_parts_adds_up(amount: Decimal, counts: list[int]) -> None:
    assert sum(packing.spread(amount, counts, currency="USD")) == amount


def test_several_boxes_become_packages_with_what_is_in_them() -> None:
    found = pieces(unit(1, "TOP"), unit(2, "TOP"), unit(3, "SOCK"))
    first, second = packing.packages([box("1Z1", 1), box("1Z2", 2, 3)], found, packing.lines(found))
    assert [(line.sku, line.quantity) for line in first.lines] == [("TOP", 1)]
    assert (second.number, second.tracking_number, [(line.sku, line.quantity) for line in second.lines]) == (2, "1Z2", [("TOP", 1), ("SOCK", 1)])


def test_one_box_or_a_unit_in_no_box_or_in_two_makes_no_packing_list() -> None:
    found = pieces(unit(1, "TOP"), unit(2, "SOCK"))
    lines = packing.lines(found)
    for labels in ([box("A", 1, 2)], [box("A", 1), box("B")], [box("A", 1, 2), box("B", 2)]):
        assert packing.packages(labels, found, lines) == ()
