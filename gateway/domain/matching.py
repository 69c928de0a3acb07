"""Which RA a receipt without one may belong to (requirements R-094).

Pure scoring: each kind of evidence has its weight, and a candidate carries the evidence in words, so that a person can judge it without trusting the number.
Recency alone is no evidence. Nothing is attached by itself, however good the score.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.documents import Authorization, Receipt

TRACKING, REFERENCE, ORDER, ITEMS, SOME_ITEMS, RECENT = 50, 40, 30, 20, 8, 5
RECENT_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An RA that a receipt may belong to, with why."""

    ra: str
    rma: str
    score: int
    evidence: tuple[str, ...]


def propose(receipt: Receipt, authorizations: Iterable[Authorization], *, now: datetime) -> list[Candidate]:
    """The RAs that something speaks for, best first."""
    found = [candidate for ra in authorizations if (candidate := weigh(receipt, ra, now=now))]
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.ra))


def weigh(receipt: Receipt, ra: Authorization, *, now: datetime) -> Candidate | None:
    """What speaks for one RA; None when nothing does."""
    signs = [sign for sign in (by_tracking(receipt, ra), by_reference(receipt, ra), by_order(receipt, ra), by_items(receipt, ra)) if sign]
    if not signs:
        return None
    age = (now - ra.created_at).days
    if age <= RECENT_DAYS:
        signs.append((RECENT, "made today" if age <= 0 else f"made {age} day{'s' if age != 1 else ''} ago"))
    return Candidate(ra=ra.ra, rma=ra.rma, score=sum(weight for weight, _ in signs), evidence=tuple(words for _, words in signs))


def by_tracking(receipt: Receipt, ra: Authorization) -> tuple[int, str] | None:
    """The same parcel."""
    same = [number for number in receipt.tracking_numbers if number in ra.tracking_numbers]
    if same:
        return TRACKING, f"tracking number {same[0]} is the same"
    bag = ra.bag_barcode and ra.bag_barcode in {*receipt.tracking_numbers, *receipt.references}
    return (TRACKING, f"bag {ra.bag_barcode} is the same") if bag else None


def by_reference(receipt: Receipt, ra: Authorization) -> tuple[int, str] | None:
    """A reference that looks like the RA or RMA number, whatever stands around it."""
    for text in receipt.references:
        plain = squeeze(text)
        if plain and (plain == squeeze(ra.ra) or squeeze(ra.rma) in plain):
            return REFERENCE, f"the reference {text!r} resembles it"
    return None


def by_order(receipt: Receipt, ra: Authorization) -> tuple[int, str] | None:
    """The same order."""
    same = receipt.order_reference and squeeze(receipt.order_reference) == squeeze(ra.order_name)
    return (ORDER, f"order {ra.order_name} is the same") if same else None


def by_items(receipt: Receipt, ra: Authorization) -> tuple[int, str] | None:
    """The same goods."""
    expected = {line.sku: line.quantity for line in ra.lines}
    came = {line.sku: line.good + line.second for line in receipt.lines if line.sku}
    shared = [sku for sku in came if sku in expected]
    if not shared:
        return None
    words = ", ".join(f"{sku} {came[sku]} of {expected[sku]}" for sku in shared)
    return (ITEMS, f"all items are on it: {words}") if came == expected else (SOME_ITEMS, f"items on it: {words}")


def squeeze(text: str) -> str:
    """A reference without the signs people put around it."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())
