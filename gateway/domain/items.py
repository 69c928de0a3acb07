"""Which of our SKUs an identifier names (requirements R-049).

In this order: the partner's own cross-reference, the merchant SKU, the UPC/EAN/GTIN. Bar codes are compared as GTIN-14, since spreadsheets lose
leading zeros and senders write 11 to 14 digits; they are text, never numbers. What resolves to nothing is returned as nothing: no guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

GTIN_DIGITS = 14
SHORTEST_GTIN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A SKU with its bar code and words."""

    sku: str
    upc: str = ""
    title: str = ""
    digital: bool = False


def gtin14(text: str) -> str | None:
    """The 14-digit form of a bar code; None when it is none (letters, too long, too short)."""
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit() or not SHORTEST_GTIN <= len(digits) <= GTIN_DIGITS:
        return None
    return digits.zfill(GTIN_DIGITS)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The merchant's items and the partners' own names for them."""

    by_sku: Mapping[str, Item] = field(default_factory=dict)
    by_gtin: Mapping[str, Item] = field(default_factory=dict)
    cross_references: Mapping[tuple[str, str], str] = field(default_factory=dict)
    bundles: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        items: Iterable[Item],
        cross_references: Mapping[tuple[str, str], str] | None = None,
        bundles: Mapping[str, tuple[tuple[str, int], ...]] | None = None,
    ) -> Catalogue:
        """Build the lookups; a bar code two SKUs share resolves to neither. `bundles` are the components of a SKU with their quantities."""
        listed = list(items)
        by_gtin: dict[str, Item] = {}
        shared: set[str] = set()
        for item in listed:
            code = gtin14(item.upc)
            if code and code in by_gtin:
                shared.add(code)
            elif code:
                by_gtin[code] = item
        return cls(
            {item.sku: item for item in listed},
            {code: item for code, item in by_gtin.items() if code not in shared},
            dict(cross_references or {}),
            dict(bundles or {}),
        )

    def components(self, sku: str) -> tuple[tuple[Item, int], ...]:
        """What a bundle is made of, each with its quantity; empty for an item that is none (R-050)."""
        return tuple((self.by_sku[part], quantity) for part, quantity in self.bundles.get(sku, ()) if part in self.by_sku)

    def resolve(self, *, partner: str, candidates: Iterable[str]) -> Item | None:
        """The item that the first resolvable candidate names."""
        stated = [candidate.strip() for candidate in candidates if candidate.strip()]
        for text in stated:
            own = self.cross_references.get((partner, text))
            if own and own in self.by_sku:
                return self.by_sku[own]
        for text in stated:
            if text in self.by_sku:
                return self.by_sku[text]
        for text in stated:
            code = gtin14(text)
            if code and code in self.by_gtin:
                return self.by_gtin[code]
        return None
