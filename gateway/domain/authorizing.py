"""From an RMA to its RAs: what each warehouse shall expect (requirements R-043 to R-047).

Units the shopper keeps, and units bound for a donation address, stay away from the warehouse. The rest goes to the warehouse of its Loop
destination; several warehouses make several RAs (RA…-1, RA…-2) in the order in which they first appear. One thing that cannot be placed
(an unmapped destination, an unknown item) holds the whole RMA: half an RMA is never sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.domain import packing
from gateway.domain.documents import Authorization, Policy, Return, ReturnUnit, Warehouse
from gateway.domain.items import Catalogue, Item
from gateway.domain.packing import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where Loop destinations lead, and what our items are."""

    warehouses: Mapping[str, Warehouse]
    catalogue: Catalogue

    def by_destination(self, destination_id: str | None) -> Warehouse | None:
        """The warehouse that a Loop destination stands for."""
        return next((w for w in self.warehouses.values() if destination_id and w.loop_destination == destination_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorized:
    """The RAs of an RMA, or why there are none; `notes` says what was left out and why."""

    authorizations: tuple[Authorization, ...] = ()
    hold: str = ""
    hold_key: str = ""
    none_because: str = ""
    notes: tuple[str, ...] = field(default=())


def authorize(rma: Return, *, places: Places, policy: Policy, version: int, at: datetime) -> Authorized:
    """Make the RAs for an RMA, hold it with a reason, or say that nothing comes back."""
    kept = [unit for unit in rma.units if stays_away(unit, rma=rma, places=places, policy=policy)]
    coming = [unit for unit in rma.units if unit not in kept]
    notes = tuple(f"{unit.sku or unit.title}: not sent to a warehouse ({why_away(unit, places=places)})" for unit in kept)
    if not coming:
        return Authorized(none_because="no physical return: the shopper keeps or donates every item, or it is digital", notes=notes)
    if policy.create_on == "in_transit" and not in_transit(rma):
        return Authorized(none_because="waiting for the first carrier scan", notes=notes)
    by_warehouse: dict[str, list[Piece]] = {}
    for unit in coming:
        placed = place(unit, rma=rma, places=places)
        if isinstance(placed, Authorized):
            return placed
        warehouse, item = placed
        by_warehouse.setdefault(warehouse.code, []).extend(packing.pieces(unit, item, places.catalogue, currency=rma.currency))
    several = len(by_warehouse) > 1
    made = tuple(
        authorization(
            rma, warehouse=places.warehouses[code], pieces=pieces, number=number if several else None, policy=policy, version=version, at=at
        )
        for number, (code, pieces) in enumerate(by_warehouse.items(), start=1)
    )
    return Authorized(authorizations=made, notes=notes)


def numbered(made: Sequence[Authorization], *, held: Sequence[Authorization], policy: Policy) -> tuple[Authorization, ...]:
    """RAs made again after an edit, under the numbers their warehouses have; a warehouse that is new to the return gets the next free one."""
    known = {ra.warehouse: ra.ra for ra in held}
    taken = {ra.ra for ra in held}
    result = []
    for ra in made:
        number = known.get(ra.warehouse)
        if number is None:
            plain = policy.ra_pattern.format(rma=ra.rma)
            number = next(text for count in itertools.count(2) if (text := f"{plain}-{count}") not in taken)
            taken.add(number)
        result.append(replace(ra, ra=number))
    return tuple(result)


def stays_away(unit: ReturnUnit, *, rma: Return, places: Places, policy: Policy) -> bool:
    """Whether a unit is kept by the shopper, donated (merchant rule: Loop documents no flag for it) or digital (R-046)."""
    destination = unit.destination_id or rma.destination_id
    return unit.outcome in policy.kept_outcomes or destination in policy.donate_destinations or is_digital(unit, places=places)


def is_digital(unit: ReturnUnit, *, places: Places) -> bool:
    """Whether a unit is nothing that can lie in a parcel (`digital` in items.csv)."""
    item = places.catalogue.resolve(partner="", candidates=(unit.sku, unit.barcode))
    return bool(item and item.digital)


def why_away(unit: ReturnUnit, *, places: Places) -> str:
    """Why a unit is not sent, in a word."""
    if is_digital(unit, places=places):
        return "digital"
    return unit.outcome if unit.outcome != "default" else "donated"


def in_transit(rma: Return) -> bool:
    """Whether a carrier has scanned one of its labels."""
    return any(label.status in {"in_transit", "out_for_delivery", "delivered"} for label in rma.labels)


def place(unit: ReturnUnit, *, rma: Return, places: Places) -> tuple[Warehouse, Item] | Authorized:
    """The warehouse and item of one unit, or the hold that says what is missing."""
    destination = unit.destination_id or rma.destination_id
    warehouse = places.by_destination(destination)
    if warehouse is None or warehouse.partner is None:
        return Authorized(
            hold=f'Loop destination {destination or "(none)"} is not mapped to a warehouse: add loop_destination = "{destination}" to a [[warehouses]] entry in gateway.toml',
            hold_key=f"destination:{destination}",
        )
    item = places.catalogue.resolve(partner=warehouse.partner, candidates=(unit.sku, unit.barcode))
    if item is None:
        return Authorized(
            hold=f"item {unit.sku or unit.barcode or unit.title} is not in mappings/items.csv: add a line with this SKU, and the return goes on by itself",
            hold_key=f"item:{unit.sku or unit.barcode}",
        )
    return warehouse, item


def authorization(  # noqa: PLR0913 - what an RA is made of
    rma: Return,
    *,
    warehouse: Warehouse,
    pieces: list[Piece],
    number: int | None,
    policy: Policy,
    version: int,
    at: datetime,
) -> Authorization:
    """One RA for one warehouse; units of a SKU become one line."""
    ids = {piece.unit.line_item_id for piece in pieces}
    labels = [label for label in rma.labels if not label.line_item_ids or ids & set(label.line_item_ids)]
    lines = packing.lines(pieces)
    return Authorization(
        ra=policy.ra_pattern.format(rma=rma.rma) + (f"-{number}" if number else ""),
        rma=rma.rma,
        version=version,
        partner=warehouse.partner or "",
        warehouse=warehouse.code,
        order_id=rma.order_id,
        order_name=rma.order_name,
        currency=rma.currency,
        created_at=at,
        lines=lines,
        carrier=next((label.carrier for label in labels if label.carrier), ""),
        tracking_numbers=tuple(dict.fromkeys(label.tracking_number for label in labels if label.tracking_number)),
        packages=packing.packages(labels, pieces, lines),
        shopper=rma.shopper if policy.send_shopper else "",
        expected_on=(rma.created_at + timedelta(days=policy.expected_days)).date() if policy.expected_days else None,
        bag_barcode=rma.bag_barcode or next((piece.unit.bag_barcode for piece in pieces if piece.unit.bag_barcode), ""),
    )
