"""The goods of an RA: pieces into lines, and boxes into packages (requirements R-045, R-050, R-053).

A *piece* is what one Loop line item puts into a parcel of one SKU: one unit, or, for a bundle, as many of each component as the bundle holds. A bundle's value is
spread over its pieces, to the cent, so that an RA is worth what the return is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway.domain import money
from gateway.domain.documents import ZERO, AuthorizationLine, BundlePart, Label, Package, PackedLine, ReturnUnit
from gateway.domain.items import Catalogue, Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Units of one SKU that one Loop line item stands for; `bundle` is the SKU they are a component of."""

    unit: ReturnUnit
    item: Item
    quantity: int
    value: Decimal
    tax: Decimal
    bundle: str = ""


def pieces(unit: ReturnUnit, item: Item, catalogue: Catalogue, *, currency: str) -> list[Piece]:
    """The pieces of a unit: itself, or the components of the bundle that it is."""
    parts = catalogue.components(item.sku)
    if not parts:
        return [Piece(unit=unit, item=item, quantity=1, value=unit.value - unit.tax, tax=unit.tax)]
    counts = [quantity for _, quantity in parts]
    values = spread(unit.value - unit.tax, counts, currency=currency)
    taxes = spread(unit.tax, counts, currency=currency)
    return [
        Piece(unit=unit, item=part, quantity=quantity, value=value, tax=tax, bundle=item.sku)
        for (part, quantity), value, tax in zip(parts, values, taxes, strict=True)
    ]


def spread(amount: Decimal, counts: Sequence[int], *, currency: str) -> list[Decimal]:
    """An amount divided by counts so that the parts add up to it: the last one takes what rounding leaves."""
    whole = sum(counts)
    parts = [money.rounded(amount * count / whole, currency) for count in counts[:-1]]
    return [*parts, amount - sum(parts, ZERO)]


def lines(found: Sequence[Piece]) -> tuple[AuthorizationLine, ...]:
    """Group pieces by SKU (R-045), in order of first appearance."""
    grouped: dict[str, list[Piece]] = {}
    for piece in found:
        grouped.setdefault(piece.item.sku, []).append(piece)
    return tuple(_line(number, sku, group) for number, (sku, group) in enumerate(grouped.items(), start=1))


def _line(number: int, sku: str, group: Sequence[Piece]) -> AuthorizationLine:
    first = group[0]
    return AuthorizationLine(
        line_no=number,
        sku=sku,
        upc=first.item.upc or ("" if first.bundle else first.unit.barcode),
        title=first.item.title or ("" if first.bundle else first.unit.title),
        quantity=sum(piece.quantity for piece in group),
        unit_ids=tuple(dict.fromkeys(piece.unit.line_item_id for piece in group)),
        value=sum((piece.value for piece in group), ZERO),
        tax=sum((piece.tax for piece in group), ZERO),
        reason="; ".join(dict.fromkeys(piece.unit.reason for piece in group if piece.unit.reason)),
        comment="; ".join(dict.fromkeys(piece.unit.comment for piece in group if piece.unit.comment)),
        bundle_parts=tuple(BundlePart(line_item_id=p.unit.line_item_id, bundle=p.bundle, quantity=p.quantity) for p in group if p.bundle),
    )


def packages(labels: Sequence[Label], found: Sequence[Piece], made: Sequence[AuthorizationLine]) -> tuple[Package, ...]:
    """The boxes of an RA by their labels; none unless every unit is in exactly one of several boxes, since half a packing list misleads."""
    numbers = {line.sku: line.line_no for line in made}
    boxes: list[Package] = []
    packed: list[str] = []
    for label in labels:
        inside = [piece for piece in found if piece.unit.line_item_id in label.line_item_ids]
        packed += list(dict.fromkeys(piece.unit.line_item_id for piece in inside))
        sums: dict[str, int] = {}
        for piece in inside:
            sums[piece.item.sku] = sums.get(piece.item.sku, 0) + piece.quantity
        content = tuple(PackedLine(line_no=numbers[sku], sku=sku, quantity=quantity) for sku, quantity in sums.items())
        boxes.append(Package(number=len(boxes) + 1, carrier=label.carrier, tracking_number=label.tracking_number, lines=content))
    whole = sorted(packed) == sorted({piece.unit.line_item_id for piece in found}) and all(box.lines for box in boxes)
    return tuple(boxes) if whole and len(boxes) > 1 else ()
