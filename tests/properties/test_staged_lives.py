"""Random lives on the real stage: the gateway with its book, folders and HTTP, against the simulator, with edits, splits, duplicates, late and broken answers,
cancels, refunds before receipts, repeated jobs and restarts in any order.

After every step the book verifies (units, money, stock, seals, archive), and Loop has carried out at most one process, flag or remove for each return. A
life ends with everything settled: nothing may be left that a healthy world would not finish. `STAGED_LIVES` sets how many are lived (default 8).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.jobs import SCHEDULED
from gateway.simulator.partner import make_944
from gateway.simulator.world import KNOWN_RETURNS, open_known_return
from gateway.views import health
from tests.stage import HOUR, Stage

pytestmark = pytest.mark.timeout(3000)  # a long run lives for many minutes
RMAS = sorted(KNOWN_RETURNS)
ACTIONS = ("process", "flag", "remove")
FAULTS = ("drop_before", "drop_after_effect", "cut_json", "html", "status")
AGAIN = ("list", "details", "note", *ACTIONS, "OrdersTouched", "RefundDetail", "SetQuantities")
FINISH = ("LoopImportReturnAuthorizations", "ShopifyImportRefunds", "ShopifyImportOrders", "ShopifyExportInventory", "Upkeep")
JOBS = sorted(set(SCHEDULED) - {"LoopCompareReturns"})


class StagedLife(RuleBasedStateMachine):
    """Up to four returns of the test world, living at once."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life"))
        self.stage = Stage(self.folder / "stage").__enter__()
        self.opened: list[int] = []
        self.sent: list[bytes] = []
        self.refunded: set[str] = set()

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.stage.__exit__()
            shutil.rmtree(self.folder)

    @initialize(rma=st.sampled_from(RMAS), short=st.sampled_from(["flag", "remove_and_process"]))
    def begin(self, rma: int, short: str) -> None:
        if short != "flag":
            self.stage.reopen(("gateway.toml", 'short = "flag"', f'short = "{short}"'))
        self.open_return(rma)

    @rule(rma=st.sampled_from(RMAS))
    def open_return(self, rma: int) -> None:
        if rma not in self.opened:
            open_known_return(self.stage.world, rma)
            self.opened.append(rma)

    @rule(job=st.sampled_from(JOBS))
    def run_a_job(self, job: str) -> None:
        self.stage.job(job)

    @rule()
    def import_returns(self) -> None:
        self.stage.import_rmas()

    @rule(rma=st.sampled_from(RMAS), counts=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=3, max_size=3), final=st.booleans())
    def receive(self, rma: int, counts: list[tuple[int, int]], final: bool) -> None:
        """A parcel arrives, in part or whole, good or damaged, perhaps before its RA is known."""
        skus = sorted({sku for _, sku in KNOWN_RETURNS[rma][1]})
        lines = [(sku, good, second) for sku, (good, second) in zip(skus, counts, strict=False)]
        number = next(self.stage.numbers)
        content = make_944(f"RA{rma}", lines, number=number, receipt_no=f"WR{number}", final=final)
        self.sent.append(content)
        self.stage.drop("ATLAS", f"ATLAS_944_{number}.edi", content)

    @rule(rma=st.sampled_from(RMAS))
    def receive_in_full(self, rma: int) -> None:
        counted: dict[str, int] = {}
        for _, sku in KNOWN_RETURNS[rma][1]:
            counted[sku] = counted.get(sku, 0) + 1
        number = next(self.stage.numbers)
        content = make_944(f"RA{rma}", list(counted.items()), number=number, receipt_no=f"WR{number}", final=True)
        self.sent.append(content)
        self.stage.drop("ATLAS", f"ATLAS_944_{number}.edi", content)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def receive_again(self, data: st.DataObject) -> None:
        """The same file under another name."""
        self.stage.drop("ATLAS", f"again_{next(self.stage.numbers)}.edi", data.draw(st.sampled_from(self.sent)))

    @precondition(lambda self: self.opened)
    @rule(data=st.data(), remove=st.booleans(), restock=st.booleans())
    def review(self, data: st.DataObject, remove: bool, restock: bool) -> None:
        """A person processes what is in review, with or without a line less."""
        rma = data.draw(st.sampled_from(self.opened))
        held = self.stage.world.return_(rma)
        if held.state == "review" and held.processing is None:
            gone = [held.units[-1].line_item_id] if remove and len(held.units) > 1 else []
            self.stage.world.review(rma, restock=restock, remove=gone)

    @precondition(lambda self: self.opened)
    @rule(data=st.data(), how=st.sampled_from(["cancel", "expire", "edit", "to_open", "scan"]))
    def change_in_loop(self, data: st.DataObject, how: str) -> None:
        rma = data.draw(st.sampled_from(self.opened))
        held, world = self.stage.world.return_(rma), self.stage.world
        if held.state not in ("open", "review") or held.processing is not None:
            return
        if how == "edit" and len(held.units) > 1:
            world.edit(rma, remove=[held.units[-1].line_item_id])
        elif how == "scan":
            world.scan_label(rma, "delivered")
        elif how == "to_open" and held.state == "review":
            world.to_open(rma)
        elif how in ("cancel", "expire"):
            getattr(world, how)(rma)

    @rule(what=st.sampled_from(["shipping", "cancel", "goodwill", "unshipped"]))
    def refund_in_shopify(self, what: str) -> None:
        if what in self.refunded:
            return
        self.refunded.add(what)
        if what == "shipping":
            self.stage.world.refund("#1001", shipping="8.00")
        elif what == "goodwill":
            self.stage.world.refund("#1003", adjustments=[("-5.00",)], transactions=[("shopify_payments", "5.00")])
        elif what == "cancel":
            self.stage.world.refund("#1006", lines=[("DRS-RED-6", 1, "CANCEL")])
        else:
            self.stage.world.refund("#1005", lines=[("HOOD-GRY-M", 1, "RETURN"), ("CAP-NVY-OS", 1, "CANCEL")])

    @rule(seconds=st.sampled_from([1.0, 61.0, 2 * HOUR, 73 * HOUR]))
    def wait(self, seconds: float) -> None:
        self.stage.wait(seconds)

    @rule(kind=st.sampled_from(FAULTS), match=st.sampled_from(AGAIN))
    def break_an_answer(self, kind: str, match: str) -> None:
        """The next such call is lost, refused by a proxy, or answered in pieces."""
        details = {"status": 502, "effect": True} if kind == "status" else {}
        self.stage.simulator.faults.add(kind, match=match, **details)  # type: ignore[arg-type]  # details by name

    @rule()
    def restart(self) -> None:
        self.stage.reopen()

    @rule()
    def partners_answer(self) -> None:
        self.stage.partners_answer()

    # what must hold

    @invariant()
    def the_book_is_true(self) -> None:
        assert health.verify(self.stage.ctx.engine, self.stage.ctx.folders) == []

    @invariant()
    def loop_acts_at_most_once(self) -> None:
        for rma in self.opened:
            done = {verb: self.stage.simulator.calls.count(verb, rma, accepted=True) for verb in ACTIONS}
            assert sum(done.values()) <= 1, (rma, done)

    def settle(self) -> None:
        """The world heals and everybody finishes: no effect stays open, every refund has its say, the exports agree with Shopify."""
        stage = self.stage
        stage.simulator.faults.clear()
        for _ in range(3):
            for job in FINISH:
                stage.job(job)
            stage.wait(2 * HOUR)
        self.the_book_is_true()
        self.loop_acts_at_most_once()
        before = stage.invoices(), len(stage.simulator.calls.all("SetQuantities"))
        for job in ("ShopifyImportRefunds", "ShopifyImportOrders", "ShopifyExportInventory"):
            stage.job(job)
        assert (stage.invoices(), len(stage.simulator.calls.all("SetQuantities"))) == before
        for number in stage.world.refunds:
            assert stage.refund(number)["status"] in ("imported", "skipped"), stage.refund(number)
        assert not [t for t in stage.tasks("defect")], stage.tasks("defect")


TestStagedLife = StagedLife.TestCase
TestStagedLife.settings = settings(
    max_examples=int(os.environ.get("STAGED_LIVES", "8")), stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
