"""What would have been decided under the rules as they are now: history in a dry run (requirements R-142, R-190, A-110).

Each decision of a period is made again from what it rested on then: the RAs, the receipts, and whether the wait for the rest was over. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain import receiving
from gateway.domain.documents import ZERO
from gateway.domain.lifecycle import RaState
from gateway.domain.receiving import Decision, Verdict
from gateway.domain.standings import accumulate
from gateway.jobs.context import Context
from gateway.store import database, received, returns, tallies


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A decision that would differ: `was` and `would_be` are a verdict and its rule."""

    rma: str
    decided_at: str
    was: str
    would_be: str
    fewer_reviews: int
    value: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial: how many decisions were looked at, and those that would differ."""

    read: int
    differences: tuple[Difference, ...]

    @property
    def sentence(self) -> str:
        """The trial in one sentence."""
        if not self.differences:
            return f"Of {self.read} decision(s) none would differ."
        fewer = sum(one.fewer_reviews for one in self.differences)
        worth = {one.currency: ZERO for one in self.differences}
        for one in self.differences:
            worth[one.currency] += one.value
        amounts = ", ".join(f"{amount:.2f} {currency}" for currency, amount in worth.items())
        reviews = f"{abs(fewer)} {'fewer' if fewer > 0 else 'more'} review(s)" if fewer else "as many reviews"
        return f"Of {self.read} decision(s) {len(self.differences)} would differ, worth {amounts}: {reviews}."


def try_rules(
    ctx: Context, *, start: datetime | None, end: datetime | None, along: Callable[[list[Any]], Iterable[Any]] = iter
) -> Trial:  # fmt: skip
    """Decide a period again under the settings as they are; `along` may show how far it is."""
    with database.reading(ctx.engine) as connection:
        rows = tallies.reasons_decided(connection, start, end)
        found = [difference for row in along(rows) if (difference := _try_one(ctx, connection, row))]
    return Trial(read=len(rows), differences=tuple(found))


def _try_one(ctx: Context, connection: Connection, row: dict[str, Any]) -> Difference | None:
    rma = row["rma"]
    held, decided = returns.load_return(connection, rma), returns.load_decision(connection, rma)
    if held is None or decided is None:
        return None
    ras = [ra for ra in returns.authorizations_of(connection, rma) if ra.state != RaState.CANCELLED]
    standings = [accumulate(ra.document, [r.document for r in received.receipts_of(connection, ra.document.ra)]) for ra in ras]
    at = database.moment(row["decided_at"])
    waited = any(ra.wait_until and ra.wait_until <= at for ra in ras)
    documents = [ra.document for ra in ras]
    again = receiving.decide(held.document, standings, authorizations=documents, policy=ctx.policy, waited_out=waited)
    before: Decision = decided["decision"]
    if (again.verdict, again.remove_units) == (before.verdict, before.remove_units):
        return None
    return Difference(
        rma=rma,
        decided_at=row["decided_at"],
        was=f"{before.verdict.value} ({before.rule})",
        would_be=f"{again.verdict.value} ({again.rule})",
        fewer_reviews=int(before.verdict == Verdict.FLAG) - int(again.verdict == Verdict.FLAG),
        value=sum((document.value for document in documents), ZERO),
        currency=documents[0].currency if documents else "",
    )
