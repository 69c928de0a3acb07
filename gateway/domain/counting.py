"""A partner's stock report against our ledger, SKU by SKU; nothing is ever booked from it (R-118).

A snapshot (846, INVRPT) lists everything: what it does not list counts as not said, and is a difference where we have some. Good counts stand against
the warehouse, second ones against its second-quality warehouse, and counts without a quality against both together. An adjustment (947) tells of
movements the ledger has no entry for, so each one is a difference: a person takes it over by correcting the stock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What a partner counted (or moved) of an item in a quality: `good`, `second`, or empty when it does not say."""

    sku: str
    stated: str
    quality: str
    quantity: int
    position: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A SKU in a warehouse for which the two sides differ; `theirs` is None where the partner says nothing."""

    warehouse: str
    sku: str
    ours: int
    theirs: int | None
    position: str = ""


def compare(counts: Iterable[Count], *, warehouse: str, second: str, balances: Mapping[tuple[str, str], int]) -> tuple[list[Difference], list[str]]:
    """The differences of a snapshot, and remarks about what could not be compared."""
    told: dict[tuple[str, str], int] = {}
    where: dict[tuple[str, str], str] = {}
    remarks = []
    mixed = set()
    for count in counts:
        if not count.sku:
            remarks.append(f"{count.stated} is no item of ours ({count.position}): {count.quantity} not compared")
            continue
        at = second if count.quality == "second" else warehouse
        if not at:
            remarks.append(f"{count.sku}: {count.quantity} of second quality, but {warehouse} has no second-quality warehouse")
            continue
        mixed |= {count.sku} if not count.quality else set()
        told[at, count.sku] = told.get((at, count.sku), 0) + count.quantity
        where.setdefault((at, count.sku), count.position)
    found = []
    for key in sorted({*told, *(key for key, quantity in balances.items() if quantity and key[0] in (warehouse, second))}):
        if key[0] == second and key[1] in mixed and key not in told:
            continue
        together = balances.get((second, key[1]), 0) if key[1] in mixed and key[0] == warehouse and (second, key[1]) not in told else 0
        ours, theirs = balances.get(key, 0) + together, told.get(key)
        if ours != theirs:
            found.append(Difference(warehouse=key[0], sku=key[1], ours=ours, theirs=theirs, position=where.get(key, "")))
    return found, remarks


def moved(counts: Iterable[Count], *, warehouse: str, second: str) -> list[Difference]:
    """The movements of an adjustment, each a difference from a ledger that has none: `ours` 0, `theirs` the movement."""
    found: dict[tuple[str, str], int] = {}
    where: dict[tuple[str, str], str] = {}
    for count in counts:
        key = (second if count.quality == "second" and second else warehouse, count.sku or count.stated)
        found[key] = found.get(key, 0) + count.quantity
        where.setdefault(key, count.position)
    return [Difference(warehouse=at, sku=sku, ours=0, theirs=n, position=where[at, sku]) for (at, sku), n in found.items() if n]
