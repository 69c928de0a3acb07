"""What a refund credits and how the credit is settled (requirements R-112 to R-116, R-122, R-124; shopify-api 4.3).

1. The credit is goods and tax as Shopify states them, plus refunded shipping (once, from its own lines) and duties, plus the *adjustment*: money paid
   beyond all that (goodwill). An adjustment entry of Shopify is kept as a line of its own with its reason; a positive one says that value went
   another way than as money, so it is the settlement's side, never less credit.
2. The settlement adds up to the credit: money that moved, by gateway; money still pending; then what Loop says became of the rest (fee kept, store
   credit, exchange credit, to be paid), less what earlier credits of the return used of it. What remains is *unexplained* and asks a person; it is
   never spread over lines.
3. Goods are credited once. Money paid later for goods credited before moves that credit's settlement and makes no second credit: when Loop names the
   refund, when it refunds the return's exchange order, or when it is exactly what is open.
4. All of it is in the shop's currency; the shopper's amounts are kept beside, and never added. Loop's amounts count only in the refund's currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from gateway.domain import money
from gateway.domain.documents import ZERO, Adjustment, Policy, Refund, Return, Transaction

CASH, STORE_CREDIT, EXCHANGE, FEE = "cash", "store credit", "exchange credit", "fee kept"
ROUNDING, PENDING, TO_PAY, UNEXPLAINED = "cash rounding", "pending", "to be paid", "unexplained"
OPEN_KINDS = (TO_PAY, PENDING, EXCHANGE, STORE_CREDIT, UNEXPLAINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One way in which a credit was settled."""

    kind: str
    amount: Decimal
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The amounts of a credit invoice; `total` = merchandise + tax + shipping + duties + adjustment = sum of the settlements.

    `shopper` are the same amounts in the shopper's currency, when that is another one: (name, amount) pairs, never added to these.
    """

    merchandise: Decimal
    tax: Decimal
    shipping: Decimal
    duties: Decimal
    currency: str
    settlements: tuple[Settlement, ...]
    adjustment: Decimal = ZERO
    adjustments: tuple[Adjustment, ...] = ()
    shopper_currency: str = ""
    shopper: tuple[tuple[str, Decimal], ...] = ()

    @property
    def total(self) -> Decimal:
        """The credit's total."""
        return self.merchandise + self.tax + self.shipping + self.duties + self.adjustment

    @property
    def cash(self) -> Decimal:
        """What was paid out."""
        return self.settled(CASH)

    def settled(self, kind: str) -> Decimal:
        """The sum settled in one way."""
        return money.total(s.amount for s in self.settlements if s.kind == kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCredit:
    """A part of a credit invoice that was settled otherwise than by money, and may be paid out later."""

    invoice: str
    kind: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A part of a credit invoice's settlement that is settled by money now."""

    invoice: str
    from_kind: str
    to_kind: str
    amount: Decimal
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is said about a credit: remarks for the record, tasks for a person."""

    remarks: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


class Line(Protocol):
    """The amounts of a refund line as it was imported."""

    @property
    def merchandise(self) -> Decimal: ...
    @property
    def tax(self) -> Decimal: ...
    @property
    def skipped_value(self) -> Decimal: ...
    @property
    def imported(self) -> int: ...
    @property
    def key(self) -> str: ...


class Around(Protocol):
    """What of a refund's surroundings its money depends on; see `refunding.Surroundings`."""

    @property
    def rma(self) -> Return | None: ...
    @property
    def named(self) -> bool: ...
    @property
    def settled(self) -> Mapping[str, Decimal]: ...
    @property
    def open_credits(self) -> tuple[OpenCredit, ...]: ...
    @property
    def is_exchange_order(self) -> bool: ...
    @property
    def shipping_paid(self) -> Decimal | None: ...
    @property
    def shipping_credited(self) -> Decimal: ...
    @property
    def policy(self) -> Policy: ...


def later_payment(refund: Refund, *, units: int, around: Around) -> tuple[Move, ...]:
    """Money paid now for goods credited before, as moves of those credits' settlements (R-124); none when the refund credits something of its own."""
    paid = [t for t in refund.transactions if moved(t)]
    cash = money.total(t.amount for t in paid)
    if units or refund.shipping or refund.duties or not cash or not around.open_credits:
        return ()
    if refund.lines and not around.is_exchange_order:
        return ()
    open_amount = money.total(c.amount for c in around.open_credits)
    exact = next((c for c in around.open_credits if c.amount == cash), None)
    if exact and not around.named:
        chosen: Sequence[OpenCredit] = (exact,)
    elif around.named or around.is_exchange_order or open_amount == cash:
        chosen = around.open_credits
    else:
        return ()
    return tuple(spend(chosen, paid, around.policy))


def outcome_of_pending(before: Refund, now: Refund, pending: Sequence[OpenCredit], policy: Policy) -> tuple[Move, ...]:
    """What became of a credit's pending payments: paid, or failed (then unexplained); none when anything else of the refund changed too."""
    same = (before.lines, before.shipping, before.duties, before.adjustments, [(t.kind, t.amount, t.gateway) for t in before.transactions])
    if same != (now.lines, now.shipping, now.duties, now.adjustments, [(t.kind, t.amount, t.gateway) for t in now.transactions]):
        return ()
    waited = [new for old, new in zip(before.transactions, now.transactions, strict=True) if old.status == "PENDING" and new.status != "PENDING"]
    settled = spend(pending, [t for t in waited if t.kind == "REFUND"], policy)
    failed = {t.gateway for t in waited if t.status != "SUCCESS"}
    return tuple(replace(move, to_kind=UNEXPLAINED) if move.detail in failed else move for move in settled)


def spend(credits_: Sequence[OpenCredit], paid: Sequence[Transaction], policy: Policy) -> Iterable[Move]:
    """Put payments against open credits, in order, until one of them is used up."""
    left = {place: one.amount for place, one in enumerate(credits_)}
    for t in paid:
        rest = t.amount
        for place, one in enumerate(credits_):
            amount = min(rest, left[place])
            if amount:
                rest, left[place] = rest - amount, left[place] - amount
                yield Move(invoice=one.invoice, from_kind=one.kind, to_kind=kind_of(t, policy), amount=amount, detail=t.gateway)


def moved(t: Transaction) -> bool:
    """Whether a transaction moved money to the shopper."""
    return t.kind == "REFUND" and t.status == "SUCCESS"


def kind_of(t: Transaction, policy: Policy) -> str:
    """Whether a gateway pays money or store credit."""
    return STORE_CREDIT if t.gateway in policy.store_credit_gateways else CASH


def credit(refund: Refund, lines: Sequence[Line], around: Around, moves: Sequence[Move]) -> tuple[Credit | None, Notes]:
    """The credit invoice's amounts and how they were settled; None when nothing is credited."""
    merchandise, tax = money.total(line.merchandise for line in lines), money.total(line.tax for line in lines)
    left_out = money.total(line.skipped_value for line in lines)
    used = money.total(m.amount for m in moves)
    out = money.total(t.amount for t in refund.transactions if t.kind == "REFUND" and t.status in ("SUCCESS", "PENDING"))
    stated = merchandise + tax + refund.shipping + refund.duties
    adjustment = max(out - used - left_out - stated, ZERO)
    total = stated + adjustment
    if not total:
        words = tuple(f"{money.text(m.amount, refund.currency)} paid out settles the credit {m.invoice} ({m.from_kind})" for m in moves)
        return None, Notes(remarks=words)
    settlements, notes = settle(refund, total=total, spoken_for=left_out + used, around=around)
    made = Credit(
        merchandise=merchandise,
        tax=tax,
        shipping=refund.shipping,
        duties=refund.duties,
        currency=refund.currency,
        settlements=settlements,
        adjustment=adjustment,
        adjustments=refund.adjustments,
        shopper_currency=refund.shopper.currency if refund.shopper else "",
        shopper=shopper_amounts(refund, lines),
    )
    return made, Notes(remarks=notes.remarks, tasks=(*notes.tasks, *shipping_twice(refund, around), *maybe_paid_before(refund, made, around)))


def shopper_amounts(refund: Refund, lines: Sequence[Line]) -> tuple[tuple[str, Decimal], ...]:
    """The credit in the shopper's currency: imported parts by unit, shipping, duties, money that moved."""
    theirs = refund.shopper
    if theirs is None:
        return ()
    share = [(line.imported, source) for line, source in zip(lines, theirs.lines, strict=True)]
    return (
        ("merchandise", money.total(money.rounded(s.subtotal * n / s.quantity, theirs.currency) for n, s in share if n)),
        ("tax", money.total(money.rounded(s.tax * n / s.quantity, theirs.currency) for n, s in share if n)),
        ("shipping", theirs.shipping),
        ("duties", theirs.duties),
        ("cash", theirs.cash),
    )


def settle(refund: Refund, *, total: Decimal, spoken_for: Decimal, around: Around) -> tuple[tuple[Settlement, ...], Notes]:
    """Split a credit by how it was paid: the money that moved first, then what Loop says became of the rest."""
    found: list[Settlement] = []
    rest = total
    for t in refund.transactions:
        if t.kind != "REFUND" or t.status not in ("SUCCESS", "PENDING"):
            continue
        elsewhere = min(spoken_for, t.amount)
        spoken_for -= elsewhere
        amount = min(t.amount - elsewhere, rest)
        rest -= amount
        found += paid(t, amount, around.policy)
    for kind, ceiling in ways_besides_cash(refund, found, around):
        amount = min(rest, ceiling)
        if amount > 0:
            rest -= amount
            found.append(Settlement(kind=kind, amount=amount))
    if not rest:
        return tuple(found), Notes()
    found.append(Settlement(kind=UNEXPLAINED, amount=rest))
    return tuple(found), Notes(tasks=(why_unexplained(refund, total, rest, around),))


def paid(t: Transaction, amount: Decimal, policy: Policy) -> list[Settlement]:
    """One payment as settlement; what cash rounding took or gave is an entry of its own, so that cash is what was really handed out."""
    if not amount:
        return []
    if t.status == "PENDING":
        return [Settlement(kind=PENDING, amount=amount, detail=t.gateway)]
    found = [Settlement(kind=kind_of(t, policy), amount=amount + t.rounding, detail=t.gateway)]
    return found + ([Settlement(kind=ROUNDING, amount=-t.rounding, detail=t.gateway)] if t.rounding else [])


def ways_besides_cash(refund: Refund, found: Sequence[Settlement], around: Around) -> tuple[tuple[str, Decimal], ...]:
    """How value can be settled without money, each with its most: what Loop says, less what earlier credits of the return used."""
    rma, before = around.rma, around.settled
    if rma is None:
        return ((FEE, money.total(a.amount for a in refund.adjustments if a.amount > 0)),)
    if rma.currency != refund.currency:
        return ()
    paid_now = money.total(s.amount for s in found if s.kind in (CASH, PENDING, ROUNDING))
    paid_before = money.total(before.get(kind, ZERO) for kind in (CASH, PENDING, TO_PAY, ROUNDING))
    failed = any(t.kind == "REFUND" and t.status in ("FAILURE", "ERROR") for t in refund.transactions)
    return (
        (FEE, rma.handling_fee - before.get(FEE, ZERO)),
        (STORE_CREDIT, rma.gift_card - before.get(STORE_CREDIT, ZERO)),
        (EXCHANGE, rma.exchange_credit - before.get(EXCHANGE, ZERO)),
        (TO_PAY, ZERO if failed else rma.refund - paid_before - paid_now),
    )


def why_unexplained(refund: Refund, total: Decimal, rest: Decimal, around: Around) -> str:
    """What a person is told about a credit that is not settled in full."""
    amount, whole = f"{money.text(rest, refund.currency)} {refund.currency}", money.text(total, refund.currency)
    failed = [t for t in refund.transactions if t.kind == "REFUND" and t.status in ("FAILURE", "ERROR")]
    if failed:
        return f"refund {refund.refund_id}: {amount} of the credit {whole} did not move: the payment through {failed[0].gateway} failed; pay it again in Shopify"
    if around.rma and around.rma.currency != refund.currency:
        return (
            f"refund {refund.refund_id}: {amount} of the credit {whole} is not explained by cash, and Loop's amounts are in {around.rma.currency}: "
            "amounts of two currencies are never set against each other; compare by hand"
        )
    return (
        f"refund {refund.refund_id}: {amount} of the credit {whole} is not explained by cash, store credit, exchange or fee; "
        "compare the refund in Shopify with the return in Loop"
    )


def shipping_twice(refund: Refund, around: Around) -> tuple[str, ...]:
    """The task about shipping given back beyond what the order paid for it."""
    if not refund.shipping or around.shipping_paid is None:
        return ()
    given = around.shipping_credited + refund.shipping
    if given <= around.shipping_paid:
        return ()
    words = [money.text(amount, refund.currency) for amount in (given, around.shipping_paid)]
    return (f"refund {refund.refund_id}: {words[0]} {refund.currency} of shipping is refunded on order {refund.order_name}, which paid {words[1]}",)


def maybe_paid_before(refund: Refund, made: Credit, around: Around) -> tuple[str, ...]:
    """The task about money without goods on an order that has open credit: it may be that credit's payment."""
    if refund.lines or not made.adjustment or not around.open_credits:
        return ()
    one = around.open_credits[0]
    amounts = [money.text(amount, refund.currency) for amount in (made.adjustment, one.amount)]
    return (
        f"refund {refund.refund_id}: {amounts[0]} {refund.currency} without goods was credited as goodwill; "
        f"{one.invoice} has {amounts[1]} settled as {one.kind}: if it was a payment of that, correct it",
    )
