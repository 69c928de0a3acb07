"""A stage for journeys: a real workspace in a folder, the simulator over HTTP, the partners on the other side of the folders, and a clock to move.

Nothing of the gateway is replaced. Jobs and queued work run in the test's own thread, so that a scenario can stop between any two steps.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway import bootstrap, config
from gateway.domain import matching
from gateway.jobs import intake, receipts
from gateway.jobs.context import Context, Tally
from gateway.simulator.clock import SimClock
from gateway.simulator.partner import Partner, make_944
from gateway.simulator.server import Simulator
from gateway.simulator.world import World, harbor_and_pine
from gateway.store import database, effects, events, files, ledger, received, returns
from gateway.views import aging, cases
from gateway.worker import Worker, run_job

ROOT = Path(__file__).parent.parent
HOUR = 3600.0
PERIODS = """
[periods]
refunds_lag = -5.0
doubt_settle = 60.0
confirm_process = 1.0
first_retry = 1.0
"""


def make_workspace(folder: Path, *, edits: Iterable[tuple[str, str, str]] = (), periods: str = PERIODS) -> None:
    """Copy the example workspace into a folder; `edits` are (file, old, new)."""
    shutil.copy(ROOT / "gateway.toml", folder / "gateway.toml")
    shutil.copytree(ROOT / "mappings", folder / "mappings", dirs_exist_ok=True)
    shutil.copytree(ROOT / "templates", folder / "templates", dirs_exist_ok=True)
    settings = folder / "gateway.toml"
    settings.write_text("test_mode = true\n" + settings.read_text() + periods)
    for path in (folder / "mappings").glob("*.toml"):
        path.write_text(path.read_text().replace("settle_seconds = 5.0", "settle_seconds = 0.0"))
    for name, old, new in edits:
        path = folder / name
        text = path.read_text()
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new))


@dataclass
class Stage:
    """Everything a journey needs."""

    folder: Path
    database_url: str = ""
    edits: tuple[tuple[str, str, str], ...] = ()
    periods: str = PERIODS
    world: World = field(init=False)
    simulator: Simulator = field(init=False)
    ctx: Context = field(init=False)
    atlas: Partner = field(init=False)
    pacific: Partner = field(init=False)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    def __enter__(self) -> Stage:
        self.folder.mkdir(parents=True, exist_ok=True)
        make_workspace(self.folder, edits=self.edits, periods=self.periods)
        self.clock_file = self.folder / "clock"
        self.clock_file.write_text("0")
        self.clock = SimClock(self.clock_file)
        self.world = harbor_and_pine(World(self.clock))
        self.simulator = Simulator(self.world).start()
        self.open_gateway()
        inbox, outbox = self.folder / "inbox", self.folder / "outbox"
        self.atlas = Partner("ATLAS", outbox / "ATLAS", inbox / "ATLAS", self.clock)
        self.pacific = Partner("PACIFIC", outbox / "PACIFIC", inbox / "PACIFIC", self.clock)
        return self

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the gateway."""
        found = {
            "GATEWAY_LOOP_BASE_URL": self.simulator.loop_url,
            "GATEWAY_LOOP_API_KEY": self.simulator.loop_key,
            "GATEWAY_SHOPIFY_BASE_URL": self.simulator.shopify_url,
            "GATEWAY_SHOPIFY_TOKEN": self.simulator.shopify_token,
            "GATEWAY_CLOCK_FILE": str(self.clock_file),
            "GATEWAY_WORKSPACE": str(self.folder),
            "GATEWAY_UI_LISTEN": "off",
            "PATH": os.environ.get("PATH", ""),
        }
        return found | ({"GATEWAY_DATABASE_URL": self.database_url} if self.database_url else {})

    def open_gateway(self) -> None:
        """Open the gateway on the workspace, as a (re)start does."""
        self.workspace = config.load(str(self.folder), environment=self.environment)
        self.ctx = bootstrap.make_context(self.workspace, bootstrap.open_book(self.workspace))
        for folders in self.ctx.folders.values():
            folders.make()
        self.worker = Worker(ctx=self.ctx, owner="stage")

    def reopen(self, *edits: tuple[str, str, str]) -> None:
        """Change settings and open again."""
        for name, old, new in edits:
            path = self.folder / name
            assert old in path.read_text(), f"{old!r} is not in {name}"
            path.write_text(path.read_text().replace(old, new))
        self.ctx.engine.dispose()
        self.open_gateway()

    def __exit__(self, *_: object) -> None:
        self.ctx.engine.dispose()
        self.simulator.stop()

    # steps

    def job(self, name: str, **scope: Any) -> Tally:
        """Run a scheduled job, then everything it queued that is due."""
        tally = run_job(self.ctx, name, **scope)
        self.worker.drain()
        return tally

    def run(self, name: str, **scope: Any) -> Tally:
        """Run a scheduled job and nothing of what it queued."""
        return run_job(self.ctx, name, **scope)

    def take(self) -> None:
        """Take what lies in the inboxes and work it off."""
        for partner in self.ctx.folders:
            intake.take_files(self.ctx, partner)
        self.worker.drain()

    def drop(self, partner: str, name: str, content: bytes) -> None:
        """Put a file into a partner's inbox and let the gateway take it."""
        (self.folder / "inbox" / partner / name).write_bytes(content)
        self.take()

    def receive(self, ra: str, lines: Sequence[object], *, name: str = "", number: int = 0, **options: Any) -> files.File:
        """ATLAS sends a 944 under a new control number; what became of the file."""
        number = number or next(self.numbers)
        name = name or f"ATLAS_944_{number}.edi"
        self.drop("ATLAS", name, make_944(ra, lines, number=number, **options))  # type: ignore[arg-type]  # lines in any of the simulator's spellings
        return self.file(name)

    def wait(self, seconds: float) -> None:
        """Let time pass, and do what becomes due."""
        self.clock.advance(seconds)
        self.world.settle()
        self.worker.drain()

    def import_rmas(self) -> Tally:
        """Import from Loop; the 856 or CSV files are in the outbox afterwards."""
        return self.job("LoopImportReturnAuthorizations")

    def partners_answer(self) -> None:
        """The partners read what we sent and answer; the gateway takes their answers."""
        self.atlas.step()
        self.pacific.step()
        self.take()

    def loop_finishes(self) -> None:
        """Loop closes what was processed, and the gateway learns of it."""
        self.wait(5)
        self.wait(5)

    def import_refunds(self, **scope: Any) -> Tally:
        """Import refunds from Shopify."""
        return self.job("ShopifyImportRefunds", **scope)

    # sights

    @staticmethod
    def money(text: str) -> Decimal:
        """An amount."""
        return Decimal(text)

    def calls(self, operation: str, rma: int | str | None = None) -> int:
        """How many calls of an operation reached the simulator."""
        return self.simulator.calls.count(operation, str(rma) if rma else None)

    def notes(self, rma: int) -> list[str]:
        """The notes on a return in Loop."""
        return [note.content for note in self.world.return_(rma).notes]

    def stock(self, warehouse: str, sku: str) -> int:
        """Our balance."""
        with database.reading(self.ctx.engine) as connection:
            return ledger.balance(connection, warehouse, sku)

    def ra(self, number: str) -> returns.HeldAuthorization:
        """One of our RAs."""
        with database.reading(self.ctx.engine) as connection:
            found = returns.load_authorization(connection, number)
        assert found is not None, f"{number} does not exist"
        return found

    def lines(self, number: str) -> dict[str, tuple[int, int, int, int]]:
        """Expected, good, second, not returned of each line of an RA."""
        with database.reading(self.ctx.engine) as connection:
            rows = returns.lines_of(connection, number)
        return {r["sku"]: (r["expected"], r["good"], r["second"], r["not_returned"]) for r in rows}

    def ra_lines(self, number: str) -> dict[str, dict[str, Any]]:
        """The lines of an RA as rows."""
        with database.reading(self.ctx.engine) as connection:
            return {row["sku"]: row for row in returns.lines_of(connection, number)}

    def candidates(self, receipt_id: int) -> list[matching.Candidate]:
        """The RAs an unmatched receipt may belong to, best first."""
        with database.reading(self.ctx.engine) as connection:
            held = received.load_receipt(connection, receipt_id)
            assert held is not None
            return receipts.propose(connection, held.document, now=self.ctx.now())

    def decision(self, rma: int | str) -> dict[str, Any] | None:
        """The decision of an RMA."""
        with database.reading(self.ctx.engine) as connection:
            return returns.load_decision(connection, str(rma))

    def effects(self, rma: int | str) -> list[effects.Effect]:
        """The effects on a target."""
        with database.reading(self.ctx.engine) as connection:
            return effects.of_target(connection, str(rma))

    def tasks(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The work list."""
        with database.reading(self.ctx.engine) as connection:
            return events.open_tasks(connection, kind=kind)

    def alerts(self) -> list[dict[str, Any]]:
        """Open alerts."""
        with database.reading(self.ctx.engine) as connection:
            return [a for a in events.list_alerts(connection) if a["open"]]

    def aging(self, step: str) -> list[dict[str, Any]]:
        """What stands still at a step for too long."""
        calendars = {name: profile.calendar.business for name, profile in self.ctx.profiles.items()}
        with database.reading(self.ctx.engine) as connection:
            found = aging.find_aging(connection, limits=self.ctx.limits, calendars=calendars, now=self.ctx.now())
        return [row for row in found if row["step"] == step]

    def story(self, rma: int | str) -> list[str]:
        """The event words of a return."""
        with database.reading(self.ctx.engine) as connection:
            return [e["word"] for e in events.of_return(connection, str(rma))]

    def story_of(self, rma: int | str) -> dict[str, Any]:
        """A return as the case view tells it."""
        with database.reading(self.ctx.engine) as connection:
            return cases.story(connection, str(rma))

    def documents(self, ra: str) -> list[dict[str, Any]]:
        """The documents sent for an RA, with validation, delivery and acknowledgement."""
        with database.reading(self.ctx.engine) as connection:
            return files.documents_for(connection, ra)

    def files(self) -> list[files.File]:
        """Every file."""
        with database.reading(self.ctx.engine) as connection:
            return files.list_files(connection)

    def invoices(self) -> dict[str, dict[str, Any]]:
        """Credit invoices by refund id."""
        with database.reading(self.ctx.engine) as connection:
            found = ledger.list_invoices(connection)
        return {row["refund_id"]: row | {"settlements": json.loads(row["settlements"])} for row in found}

    def file(self, name: str) -> files.File:
        """The newest file of a name."""
        return next(file for file in reversed(self.files()) if file.name == name)

    def side_file(self, name: str, *, partner: str = "ATLAS", area: str = "error") -> str:
        """The note that lies beside a file that could not be used."""
        return (self.folder / "var" / area / partner / f"{name}.txt").read_text(encoding="utf-8")

    def receipts(self) -> list[received.HeldReceipt]:
        """Every receipt."""
        with database.reading(self.ctx.engine) as connection:
            return received.list_receipts(connection)

    def runs(self) -> list[dict[str, Any]]:
        """Recorded runs of jobs."""
        with database.reading(self.ctx.engine) as connection:
            return events.list_runs(connection)

    def refund(self, refund_id: int | str) -> dict[str, Any]:
        """A refund's row."""
        with database.reading(self.ctx.engine) as connection:
            found = ledger.load_refund(connection, str(refund_id))
        assert found is not None
        return found

    def orders(self) -> dict[str, dict[str, Any]]:
        """Exchange orders by name."""
        with database.reading(self.ctx.engine) as connection:
            return {row["name"]: row for row in ledger.list_orders(connection)}

    def outbox(self, partner: str) -> list[Path]:
        """Files lying in a partner's outbox."""
        return sorted(p for p in (self.folder / "outbox" / partner).iterdir() if p.is_file())
