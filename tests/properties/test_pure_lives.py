"""Random lives of one return in the pure domain: whatever happens in whatever order, units and money are conserved and Loop is called once.

Nothing here is stored or sent. The machine plays Loop, the warehouse and Shopify, and keeps the book as plain values; the decisions are the domain's
own. `LIVES` sets how many lives are lived (default 60 a test run).
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.domain import authorizing, conserving, crediting, money, receiving, refunding
from gateway.domain.authorizing import Places
from gateway.domain.conserving import Account, CreditAccount, GoodsAccount, LineAccount, StockAccount
from gateway.domain.documents import Adjustment, Policy, Receipt, ReceiptLine, Refund, RefundLine, Return, ReturnUnit, Transaction, Warehouse
from gateway.domain.items import Catalogue, Item
from gateway.domain.policies import Action, Rule, Rules, Trouble
from gateway.domain.receiving import Verdict

pytestmark = pytest.mark.timeout(3000)  # a long run lives for many minutes
AT = datetime(2026, 11, 24, tzinfo=UTC)
D = Decimal
ZERO = D("0.00")
PRICES = {"TEE": D("32.40"), "HOOD": D("75.60"), "DRS": D("129.60")}
WAREHOUSES = {
    "NJ1": Warehouse(code="NJ1", sellable=True, second_quality="NJ1-SQ", loop_destination="501", shopify_location="7001", partner="ATLAS"),
    "LA1": Warehouse(code="LA1", sellable=True, second_quality="NJ1-SQ", loop_destination="502", shopify_location="7002", partner="PACIFIC"),
    "TX1": Warehouse(code="TX1", sellable=True, loop_destination="503", shopify_location="7003", partner="ATLAS"),
    "NJ1-SQ": Warehouse(code="NJ1-SQ", sellable=False),
}
PLACES = Places(warehouses=WAREHOUSES, catalogue=Catalogue.of([Item(sku=sku) for sku in PRICES], {}))
RULES = (
    Rules(),
    Rules(merchant={Trouble.SHORT: Rule(action=Action.REMOVE)}),
    Rules(
        merchant={Trouble.DAMAGED: Rule(action=Action.PROCESS), Trouble.SHORT: Rule(action=Action.WAIT), Trouble.OVER: Rule(action=Action.PROCESS)}
    ),
)
POLICIES = tuple(Policy(rules=rules) for rules in RULES)
SKUS = st.sampled_from(sorted(PRICES))
WAYS = st.sampled_from(["refund", "exchange", "credit", "exchange+refund"])
RESTOCKS = st.sampled_from(["RETURN", "RETURN", "NO_RESTOCK", "LEGACY_RESTOCK"])


class Life(RuleBasedStateMachine):
    """One return from its opening to its end."""

    @initialize(
        units=st.lists(st.tuples(SKUS, st.sampled_from(["501", "501", "502", "503"])), min_size=1, max_size=5),
        way=WAYS,
        fee=st.sampled_from([ZERO, ZERO, D("7.95")]),
        policy=st.sampled_from(POLICIES),
        unshipped=st.booleans(),
        arrived=st.sampled_from([None, 0, 1]),
    )
    def open(self, units: list[tuple[str, str]], way: str, fee: Decimal, policy: Policy, unshipped: bool, arrived: int | None) -> None:
        self.way, self.fee, self.policy, self.version = way, fee, policy, 1
        self.units = tuple(
            ReturnUnit(line_item_id=str(n), order_line_id=f"L-{sku}", sku=sku, price=PRICES[sku], value=PRICES[sku], destination_id=destination)
            for n, (sku, destination) in enumerate(units)
        )
        counted: dict[str, int] = {}
        for unit in self.units:
            counted[unit.order_line_id] = counted.get(unit.order_line_id, 0) + 1
        self.shipped = {line: n - (1 if unshipped and line == min(counted) else 0) for line, n in counted.items()}
        self.state, self.calls, self.receipts = "open", [], {}
        self.world: list[Refund] = []
        self.imported: dict[str, tuple[Refund, refunding.Assessment]] = {}
        self.ledger: dict[tuple[str, str, str], int] = {}
        self.splits: dict[str, dict[str, Decimal]] = {}
        self.credits: dict[str, refunding.Credit] = {}
        self.given_up: dict[tuple[str, str], int] = {}
        self.authorize()
        if arrived is not None:
            self.come(missing=arrived)
            self.decide(waited_out=False)

    # what the domain makes of it

    def authorize(self) -> None:
        made = authorizing.authorize(self.loop(), places=PLACES, policy=self.policy, version=self.version, at=AT)
        assert made.authorizations and not made.hold
        self.ras = {ra.ra: ra for ra in made.authorizations}

    def loop(self) -> Return:
        value = money.total(unit.value for unit in self.units)
        fee = min(self.fee, value)
        rest = value - fee
        into = {"refund": ZERO, "exchange": rest, "credit": ZERO, "exchange+refund": min(rest, D("27.00"))}[self.way]
        card = rest if self.way == "credit" else ZERO
        return Return(
            rma="77",
            state=self.state,
            outcomes=frozenset(self.way.split("+")),
            order_id="50",
            order_name="#1",
            currency="USD",
            created_at=AT,
            updated_at=AT,
            units=self.units,
            return_total=value,
            exchange_total=into,
            gift_card=card,
            handling_fee=fee,
            refund=rest - into - card,
            refund_ids=tuple(self.named),
        )

    @property
    def named(self) -> list[str]:
        return [r.refund_id for r in getattr(self, "world", []) if r.refund_id.startswith("L")]

    def standings(self) -> list[receiving.Standing]:
        return [receiving.accumulate(ra, self.receipts.get(number, [])) for number, ra in self.ras.items()]

    # what happens to it

    @rule(data=st.data(), final=st.booleans())
    def receive(self, data: st.DataObject, final: bool) -> None:
        ra = self.ras[data.draw(st.sampled_from(sorted(self.ras)))]
        counts = data.draw(st.lists(st.tuples(SKUS, st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=3))
        lines = tuple(ReceiptLine(stated=sku, sku=sku, good=good, second=second) for sku, good, second in counts)
        number = f"WR{sum(map(len, self.receipts.values()))}"
        receipt = Receipt(partner=ra.partner, receipt_no=number, ra_reference=ra.ra, received_on=date(2026, 11, 24), lines=lines, final=final)
        self.receipts.setdefault(ra.ra, []).append(receipt)

    @precondition(lambda self: self.state == "open" and not self.calls and len(self.units) > 1 and not self.receipts)
    @rule(place=st.integers(0, 4))
    def edit(self, place: int) -> None:
        self.units = self.units[: place % len(self.units)] + self.units[place % len(self.units) + 1 :]
        self.version += 1
        self.authorize()

    @rule(missing=st.sampled_from([0, 0, 1]))
    def come(self, missing: int) -> None:
        """Everything announced comes, good, in one parcel a warehouse; or of each line one unit less."""
        for ra in self.ras.values():
            lines = tuple(ReceiptLine(stated=line.sku, sku=line.sku, good=line.quantity - missing, second=0) for line in ra.lines)
            number = f"WR{sum(map(len, self.receipts.values()))}"
            receipt = Receipt(partner=ra.partner, receipt_no=number, ra_reference=ra.ra, received_on=date(2026, 11, 24), lines=lines, final=True)
            self.receipts.setdefault(ra.ra, []).append(receipt)

    @precondition(lambda self: self.receipts and not self.calls)
    @rule(waited_out=st.booleans())
    def decide(self, waited_out: bool) -> None:
        """The job's rule: only an undecided return that is open in Loop is decided."""
        if self.state != "open" or self.calls:
            return
        decision = receiving.decide(self.loop(), self.standings(), authorizations=list(self.ras.values()), policy=self.policy, waited_out=waited_out)
        if decision.verdict == Verdict.WAIT:
            return
        event(f"decided {decision.verdict}")
        self.calls.append(decision.verdict)
        if decision.verdict == Verdict.REMOVE:
            self.units = tuple(u for u in self.units if u.line_item_id not in decision.remove_units)
        self.state = "review" if decision.verdict == Verdict.FLAG else "queued"

    @precondition(lambda self: self.state in ("queued", "review"))
    @rule(data=st.data(), two_step=st.booleans(), halves=st.booleans())
    def close(self, data: st.DataObject, two_step: bool, halves: bool) -> None:
        """Loop closes the return: a person may take units off first, and Shopify gets one refund, one in two steps, or one a unit."""
        if self.state == "review" and len(self.units) > 1 and data.draw(st.booleans()):
            self.units = self.units[1:]
        self.state = "closed"
        rma = self.loop()
        rows = [
            RefundLine(
                key=f"{unit.line_item_id}",
                order_line_id=unit.order_line_id,
                sku=unit.sku,
                quantity=1,
                restock_type=data.draw(RESTOCKS),
                restocked=data.draw(st.booleans()),
                location_id=data.draw(st.sampled_from([None, "7001", "7002"])),
                subtotal=money.rounded(unit.value / D("1.08"), "USD"),
                tax=unit.value - money.rounded(unit.value / D("1.08"), "USD"),
            )
            for unit in self.units
        ]
        parts = [[row] for row in rows] if halves else [rows]
        cash = rma.refund
        for lines in parts:
            worth = money.total(line.subtotal + line.tax for line in lines)
            paid = ZERO if two_step else min(cash, worth)
            cash -= paid
            self.shopify(lines, paid=paid, kept=worth - paid, prefix="L")
        if two_step and cash:
            self.shopify([], paid=cash, kept=-cash, prefix="L")

    def shopify(self, lines: list[RefundLine], *, paid: Decimal, kept: Decimal, prefix: str = "S", status: str = "SUCCESS") -> None:
        number = f"{prefix}{len(self.world):03d}"
        self.world.append(
            Refund(
                refund_id=number,
                order_id="50",
                order_name="#1",
                currency="USD",
                created_at=AT,
                updated_at=AT,
                lines=tuple(replace(line, key=f"{number}-{line.key}") for line in lines),
                adjustments=(Adjustment(reason="REFUND_DISCREPANCY", amount=kept),) if kept else (),
                transactions=(Transaction(kind="REFUND", status=status, gateway="shopify_payments", amount=paid),) if paid else (),
            )
        )

    @rule(amount=st.sampled_from([D("5.00"), D("27.00"), D("129.60")]))
    def goodwill(self, amount: Decimal) -> None:
        self.shopify([], paid=amount, kept=-amount)

    @rule(
        sku=SKUS,
        quantity=st.integers(1, 3),
        restock=st.sampled_from(["CANCEL", "RETURN", "NO_RESTOCK"]),
        status=st.sampled_from(["SUCCESS", "PENDING", "FAILURE"]),
    )
    def refund_in_shopify(self, sku: str, quantity: int, restock: str, status: str) -> None:
        each = PRICES[sku] * quantity
        line = RefundLine(
            key="1", order_line_id=f"L-{sku}", sku=sku, quantity=quantity, restock_type=restock, location_id="7001", subtotal=each, tax=ZERO
        )
        self.shopify([line], paid=each, kept=ZERO, status=status)

    @precondition(lambda self: bool(self.world))
    @rule(data=st.data())
    def import_refund(self, data: st.DataObject) -> None:
        """In any order, and again: the refund's row is the guard against a second time."""
        for refund in data.draw(st.permutations(self.world))[: data.draw(st.integers(1, 4))]:
            if refund.refund_id not in self.imported:
                self.take(refund)

    def take(self, refund: Refund) -> None:
        found = refunding.assess(refund, self.around(refund))
        if found.held:
            return
        event("imported" + " and moved" * bool(found.moves) + " and stocked" * bool(found.postings) + " of Loop" * refund.refund_id.startswith("L"))
        self.imported[refund.refund_id] = (refund, found)
        for posting in found.postings:
            key = (posting.line_key, posting.warehouse, posting.sku)
            assert key not in self.ledger
            self.ledger[key] = posting.quantity
        if found.credit:
            self.credits[refund.refund_id] = found.credit
            self.splits[refund.refund_id] = {}
            for one in found.credit.settlements:
                self.splits[refund.refund_id][one.kind] = self.splits[refund.refund_id].get(one.kind, ZERO) + one.amount
        for move in found.moves:
            split = self.splits[move.invoice]
            split[move.from_kind] -= move.amount
            split[move.to_kind] = split.get(move.to_kind, ZERO) + move.amount

    def around(self, refund: Refund) -> refunding.Surroundings:
        credited: dict[str, int] = {}
        for other, assessment in self.imported.values():
            for source, line in zip(other.lines, assessment.lines, strict=False):
                credited[source.order_line_id] = credited.get(source.order_line_id, 0) + line.imported
        around = refunding.Surroundings(
            shipped=self.shipped,
            credited=credited,
            warehouses=WAREHOUSES,
            open_credits=tuple(
                crediting.OpenCredit(invoice=invoice, kind=kind, amount=split[kind])
                for invoice, split in self.splits.items()
                for kind in crediting.OPEN_KINDS
                if split.get(kind, ZERO) > 0
            ),
            policy=self.policy,
        )
        if not refund.refund_id.startswith("L"):
            return around
        come = [(WAREHOUSES[s.warehouse].code, line.sku, line.good, line.second) for s in self.standings() for line in s.lines]
        posted: dict[tuple[str, str], int] = {}
        for (key, warehouse, sku), quantity in self.ledger.items():
            if key.startswith("L"):
                posted[warehouse, sku] = posted.get((warehouse, sku), 0) + quantity
        settled: dict[str, Decimal] = {}
        for invoice, split in self.splits.items():
            if invoice.startswith("L"):
                for kind, amount in split.items():
                    settled[kind] = settled.get(kind, ZERO) + amount
        return replace(
            around,
            rma=self.loop(),
            named=True,
            settled=settled,
            has_received=any(good + second for _, _, good, second in come),
            received=refunding.not_in_stock(come, posted=posted, warehouses=WAREHOUSES),
        )

    # what must hold

    @invariant()
    def loop_is_called_once(self) -> None:
        assert len(getattr(self, "calls", [])) <= 1

    @invariant()
    def every_identity_holds(self) -> None:
        if hasattr(self, "ras"):
            assert [fault.text for fault in conserving.broken(self.account())] == []

    @invariant()
    def no_money_is_lost(self) -> None:
        """What a refund paid is in its credit, in an earlier one, or went to units that never shipped."""
        for refund, found in getattr(self, "imported", {}).values():
            paid = money.total(t.amount for t in refund.transactions if t.status == "SUCCESS")
            left_out = money.total(line.skipped_value for line in found.lines)
            credited = found.credit.settled("cash") if found.credit else ZERO
            moved = money.total(move.amount for move in found.moves)
            assert paid - min(paid, left_out) == credited + moved
            assert min(s.amount for s in found.credit.settlements) > 0 if found.credit else True

    @invariant()
    def goods_are_credited_once(self) -> None:
        for line, shipped in getattr(self, "shipped", {}).items():
            units = sum(
                outcome.imported
                for refund, found in self.imported.values()
                for source, outcome in zip(refund.lines, found.lines, strict=False)
                if source.order_line_id == line
            )
            assert units <= shipped

    def account(self) -> Account:
        """The life as `conserving` judges it."""
        standings = {s.ra: s for s in self.standings()}
        lines = tuple(
            LineAccount(
                ra=s.ra,
                sku=line.sku,
                authorized=line.expected,
                good=line.good,
                second=line.second,
                not_returned=0,
                over=line.over,
                receipts_good=line.good,
                receipts_second=line.second,
                receipts_over=line.over,
                closed=False,
            )
            for s in standings.values()
            for line in s.lines
        )
        goods = []
        own = {s.warehouse for s in standings.values()}
        for sku in PRICES:
            come = sum(line.good + line.second for line in lines if line.sku == sku)
            unknown = sum(line.over for line in lines if line.sku == sku) + sum(
                e.quantity for s in standings.values() for e in s.extras if e.sku == sku
            )
            seen = any(line.sku == sku for line in lines)
            mine = [(w, n) for (key, w, of), n in self.ledger.items() if of == sku and key.startswith("L") and seen]
            goods.append(
                GoodsAccount(
                    sku=sku,
                    received=come + unknown,
                    unknown=unknown,
                    restocked=sum(n for w, n in mine if w in own),
                    second=sum(n for w, n in mine if w not in own),
                    credited=sum(line.imported for _, found in self.imported.values() for line in found.lines if line.sku == sku),
                )
            )
        stock = [
            StockAccount(reference=line.key, warehouse=w, sku=sku, by_refund=n, in_ledger=self.ledger.get((line.key, w, sku), 0))
            for _, found in self.imported.values()
            for line in found.lines
            for w, sku, n in line.stocked
        ]
        assert sum(one.by_refund for one in stock) == sum(self.ledger.values())
        return Account(rma="77", lines=lines, goods=tuple(goods), stock=tuple(stock), credits=tuple(self.credit_accounts()))

    def credit_accounts(self) -> list[CreditAccount]:
        found = []
        for number, one in self.credits.items():
            lines = self.imported[number][1].lines
            found.append(
                CreditAccount(
                    invoice=number,
                    currency="USD",
                    total=one.total,
                    parts=one.merchandise + one.tax + one.shipping + one.duties + one.adjustment,
                    settled=money.total(self.splits[number].values()),
                    by_refund=one.total,
                    goods=one.merchandise + one.tax,
                    by_lines=money.total(line.merchandise + line.tax for line in lines),
                )
            )
        return found


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=int(os.environ.get("LIVES", "60")), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
