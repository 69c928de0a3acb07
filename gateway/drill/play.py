"""The life that is played: A-001, A-010, A-020 and A-030 from creation in Loop to the inventory export, pass by pass.

A pass is one `gateway run-once` of the victim; between passes the partner, the reviewer in Loop and the clock move. A play takes as many passes as it needs
to come to its end. What must not depend on when it was broken is its `end_state`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gateway import bootstrap, config
from gateway.drill.victim import Order
from gateway.errors import PermanentError
from gateway.simulator.clock import SimClock
from gateway.simulator.partner import Partner, Receipt
from gateway.simulator.server import Simulator
from gateway.simulator.world import World, harbor_and_pine, open_known_return
from gateway.store import database
from gateway.views import health, records

RMAS = (77000001, 77000002, 77000003, 77000004)
SKUS = ("TEE-BLK-M", "HOOD-GRY-M", "CAP-NVY-OS", "DRS-RED-6", "DRS-RED-8")
MOST_PASSES = 40
PASS_SECONDS = 30.0
REVIEW_PASSES = 5  # a reviewer takes longer than a call takes to settle with the gateway killed three times; sooner, and the gateway asks a person
PERIODS = """
[periods]
refunds_lag = -5.0
doubt_settle = 20.0
confirm_process = 1.0
first_retry = 1.0
longest_retry = 30.0
answer = 1.0
"""
SCRIPT: dict[str, Receipt] = {
    "77000001": Receipt(final=True),
    "77000002": Receipt(final=True),
    "77000003": Receipt(lines=[("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0)], final=True),
    "77000004": Receipt(lines=[("HOOD-GRY-M", 0, 1)], final=True),
}
TROUBLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop_after_effect", {"match": "process", "times": 1}),  # an answer that is lost
    ("status", {"match": "flag", "status": 504, "effect": True, "times": 1}),  # a 504 that lies
    ("status", {"service": "loop", "status": 429, "retry_after": "0", "every": 5, "times": 12}),  # a storm
    ("status", {"service": "shopify", "status": 503, "times": 2}),  # an outage
    ("drop_before", {"service": "loop", "every": 11, "times": 2}),
    ("slow", {"service": "loop", "seconds": 1.3, "after": 20, "times": 1}),  # a body that comes later than we wait
    ("cut_json", {"service": "shopify", "after": 4, "times": 1}),  # a body that never ends
    ("html", {"service": "loop", "after": 12, "times": 1}),
)


class StuckPlayError(PermanentError):
    """A play did not come to its end."""


@dataclass
class Theatre:
    """One play: workspace, world, partner, victim."""

    folder: Path
    simulator: Simulator
    atlas: Partner
    environment: dict[str, str]
    victims: Victims
    passes: int = 0
    said: list[dict[str, Any]] = field(default_factory=list)
    reviewing: dict[int, int] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """The simulated world."""
        return self.simulator.world

    def workspace(self) -> config.Workspace:
        """The workspace as the gateway sees it."""
        return config.load(str(self.folder), environment=self.environment)

    def act(self, order: Order) -> dict[str, Any]:
        """One pass, and what the others do until the next."""
        self.passes += 1
        said = self.victims.run(order, self.environment)
        self.said.append(said)
        self.atlas.step()
        self.world.clock.advance(PASS_SECONDS)
        self.world.settle()
        for rma, decision in ((77000003, {"remove": [830003]}), (77000004, {"restock": False})):
            if self.world.return_(rma).state == "review":
                self.reviewing[rma] = self.reviewing.get(rma, 0) + 1
                if self.reviewing[rma] == REVIEW_PASSES:
                    self.world.review(rma, process=True, **decision)
        return said


class Victims:
    """The process that forks the victims; one serves every play of a drill."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "gateway.drill.victim"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, order: Order, environment: Mapping[str, str]) -> dict[str, Any]:
        """One pass of one victim."""
        if self.process.stdin is None or self.process.stdout is None:
            raise StuckPlayError("the victim has no pipes")
        self.process.stdin.write(json.dumps({"order": asdict(order), "environment": dict(environment)}) + "\n")
        self.process.stdin.flush()
        said: dict[str, Any] = json.loads(self.process.stdout.readline() or '{"error": "the victim ended"}')
        return said

    def close(self) -> None:
        """End the process."""
        if self.process.stdin and self.process.stdout:
            self.process.stdin.close()
            self.process.wait(10)
            self.process.stdout.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What every play of a drill has in common; `make` lays out a workspace in a folder, `inherit` is the environment, no `database_url` means SQLite."""

    make: Callable[[Path], None]
    inherit: Mapping[str, str]
    seed: int = 1
    troubles: bool = True
    database_url: str = ""


@contextmanager
def theatre(folder: Path, setting: Setting, victims: Victims) -> Iterator[Theatre]:
    """Everything for one play."""
    folder.mkdir(parents=True, exist_ok=True)
    setting.make(folder)
    clock_file = folder / "clock"
    clock_file.write_text("0", encoding="ascii")
    world = harbor_and_pine(World(SimClock(clock_file), setting.seed))
    for rma in RMAS:
        open_known_return(world, rma)
    with Simulator(world) as simulator:
        for kind, details in TROUBLES if setting.troubles else ():
            simulator.faults.add(kind, **details)
        environment = {
            **setting.inherit,
            "GATEWAY_WORKSPACE": str(folder),
            "GATEWAY_CLOCK_FILE": str(clock_file),
            "GATEWAY_LOOP_BASE_URL": simulator.loop_url,
            "GATEWAY_LOOP_API_KEY": simulator.loop_key,
            "GATEWAY_SHOPIFY_BASE_URL": simulator.shopify_url,
            "GATEWAY_SHOPIFY_TOKEN": simulator.shopify_token,
            **({"GATEWAY_DATABASE_URL": setting.database_url} if setting.database_url else {}),
        }
        atlas = Partner("ATLAS", folder / "outbox" / "ATLAS", folder / "inbox" / "ATLAS", world.clock, SCRIPT)
        yield Theatre(folder, simulator, atlas, environment, victims)


def play(stage: Theatre, orders: Iterator[Order]) -> dict[str, Any]:
    """Play until all is at its end and nothing moves any more; the end state."""
    stage.act(next(orders, Order()))
    workspace = stage.workspace()
    engine = database.connect(workspace.database_url)
    try:
        quiet = 0
        while quiet < 2:
            if stage.passes > MOST_PASSES:
                raise StuckPlayError(f"not at its end after {MOST_PASSES} passes: {health_words(engine, workspace)}")
            order = next(orders, None)
            stage.act(order or Order())
            quiet = quiet + 1 if order is None and is_over(engine, stage) else 0
        return end_state(engine, stage, workspace)
    finally:
        engine.dispose()


def health_words(engine: Engine, workspace: config.Workspace) -> str:
    """What keeps a play from its end."""
    with database.reading(engine) as connection:
        states = {row["ra"]: row["state"] for row in records.authorizations(connection)}
        problems = [row["cause"] for row in records.all_effects(connection) if row["state"] not in ("confirmed", "failed")]
    return f"{states} {problems}"


def is_over(engine: Engine, stage: Theatre) -> bool:
    """Whether every return has come to its end and the stock is exported."""
    with database.reading(engine) as connection:
        states = [row["state"] for row in records.authorizations(connection)]
        open_effects = [row for row in records.all_effects(connection) if row["state"] not in ("confirmed", "failed")]
        orders = records.all_orders(connection)
    exported = stage.world.available("TEE-BLK-M", 7001) >= 13
    return (
        states == ["closed"] * len(RMAS)
        and bool(orders)
        and exported
        and not open_effects
        and not list((stage.folder / "inbox" / "ATLAS").glob("*.*"))
    )


def end_state(engine: Engine, stage: Theatre, workspace: config.Workspace) -> dict[str, Any]:
    """Everything that must not depend on when the play was broken."""
    with database.reading(engine) as connection:
        book = records.export(connection)
    places = {name: bootstrap.make_folders(workspace, profile) for name, profile in workspace.profiles.items()}
    calls = stage.simulator.calls
    return {
        "process calls that counted": {rma: calls.count("process", str(rma), accepted=True) for rma in RMAS},
        "flag calls that counted": {rma: calls.count("flag", str(rma), accepted=True) for rma in RMAS},
        "notes": {rma: sorted(note.content.split(":")[0].split(" on ")[0] for note in stage.world.return_(rma).notes) for rma in RMAS},
        "ras": [(ra["ra"], ra["state"], ra["decision"], ra["reasons"], ra["lines"]) for ra in book["ras"]],
        "receipts": sorted((r["receipt_no"], r["sku"], r["good"], r["second"]) for r in book["receipts"]),
        "refunds": sorted((r["refund_id"], r["status"], r["credit"], r["cash"], r["rma"]) for r in book["refunds"]),
        "orders": sorted((o["name"], o["rma"], o["ar"]) for o in book["orders"]),
        "stock": sorted((m["warehouse"], m["sku"], m["qty"], m["cause"]) for m in book["stock"]),
        "shopify": [stage.world.available(sku, 7001) for sku in SKUS],
        "sent": sorted(ra for taken in stage.atlas.taken for ra in taken.ras),
        "controls": _controls(book["files"]),
        "files left": sorted(
            path.name for name in ("inbox", "var/processing", "var/staging") for path in (stage.folder / name / "ATLAS").glob("*") if path.is_file()
        ),
        "receipt files": sorted(f["outcome"] for f in book["files"] if f["direction"] == "in" and "944" in f["name"] and f["outcome"] != "duplicate"),
        "broken": health.verify(engine, places),
    }


def _controls(files: Sequence[Mapping[str, Any]]) -> str:
    """Whether the control numbers we sent are 1, 2, 3 ... without gap or repeat."""
    found = sorted(int(f["control"]) for f in files if f["direction"] == "out" and f["control"])
    return "1, 2, 3 ..." if found == list(range(1, len(found) + 1)) else f"{found}"
