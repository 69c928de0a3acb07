"""Which SKU an identifier names."""

import pytest

from gateway.domain.items import Catalogue, Item, gtin14

CATALOGUE = Catalogue.of(
    [
        Item(sku="TEE", upc="840000100023"),
        Item(sku="SOCK", upc="084000010085"),
        Item(sku="840000100078", upc=""),
        Item(sku="A", upc="111111111117"),
        Item(sku="B", upc="111111111117"),
    ],
    {("ATLAS", "T-77"): "TEE", ("ATLAS", "TEE"): "SOCK"},
)


@pytest.mark.parametrize(
    ("partner", "stated", "sku"),
    [
        ("ATLAS", ["T-77"], "TEE"),
        ("PACIFIC", ["T-77"], None),
        ("ATLAS", ["TEE"], "SOCK"),
        ("PACIFIC", ["TEE"], "TEE"),
        ("PACIFIC", ["84000010085"], "SOCK"),
        ("PACIFIC", ["00084000010085"], "SOCK"),
        ("PACIFIC", [" 840000100023 "], "TEE"),
        ("PACIFIC", ["nothing", "840000100023"], "TEE"),
        ("PACIFIC", ["840000100023", "SOCK"], "SOCK"),
        ("PACIFIC", ["111111111117"], None),
        ("PACIFIC", ["6.14141E+11"], None),
        ("PACIFIC", [""], None),
    ],
)
def test_it_resolves_cross_reference_then_sku_then_bar_code(partner: str, stated: list[str], sku: str | None) -> None:
    found = CATALOGUE.resolve(partner=partner, candidates=stated)
    assert (found.sku if found else None) == sku


@pytest.mark.parametrize(
    ("text", "code"),
    [("84000010085", "00084000010085"), ("123", None), ("8400001000234567", None), ("84000010O085", None), ("８４０００１０００２３", None)],
)
def test_it_takes_only_plain_digits_for_a_bar_code(text: str, code: str | None) -> None:
    assert gtin14(text) == code
