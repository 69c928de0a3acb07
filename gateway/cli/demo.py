"""The play behind `gateway demo`: A-001, A-010, A-020 and A-030 from creation in Loop to the inventory export, checked against the totals of A-123.

The simulated services run here, in threads, behind real HTTP ports; the gateway is a process of its own, `gateway run`, on a workspace made for the
purpose. The partner and the reviewer in Loop Admin act when it is their turn. At the end the book is read and every total compared.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from gateway import bootstrap, config
from gateway.cli.options import say_json, table
from gateway.cli.setup import make_workspace
from gateway.daemon import lock
from gateway.errors import PermanentError
from gateway.simulator.clock import SimClock
from gateway.simulator.partner import Partner, Receipt
from gateway.simulator.server import Simulator
from gateway.simulator.world import World, harbor_and_pine, open_known_return
from gateway.store import database
from gateway.views import health, records

RMAS = (77000001, 77000002, 77000003, 77000004)
LONGEST_SECONDS = 55.0
STEP_SECONDS = 0.1
EXPECTED = {"credits": "453.60", "cash": "324.00", "exchange credit": "129.60", "good": "6", "second": "1", "not returned": "1", "differences": "0"}
FAST = """
# Periods of the demo, in seconds: everything at once instead of every few minutes.
[periods]
scan = 0.5
import_returns = 1.0
export_receipts = 1.0
import_refunds = 1.0
import_orders = 1.0
export_inventory = 2.0
upkeep = 1.0
confirm_process = 0.5
refunds_lag = 0.0
"""
SCRIPT: dict[str, Receipt] = {
    "77000001": Receipt(final=True),
    "77000002": Receipt(final=True),
    "77000003": Receipt(lines=[("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0)], final=True),
    "77000004": Receipt(lines=[("HOOD-GRY-M", 0, 1)], final=True),
}
TITLES = {
    "77000001": "A-001 refund, all good",
    "77000002": "A-010 even exchange",
    "77000003": "A-030 one item short",
    "77000004": "A-020 damaged",
}


class DemoError(PermanentError):
    """The demo did not come to its end."""


@dataclass(slots=True)
class Play:
    """The running demo."""

    folder: Path
    workspace: config.Workspace
    simulator: Simulator
    partners: list[Partner]
    process: subprocess.Popen[bytes]
    told: list[str] = field(default_factory=list)
    steps: dict[str, str] = field(default_factory=dict)


def run(folder: Path, *, as_json: bool) -> int:
    """Play, check, show; 0 when every total is right."""
    started = time.monotonic()
    say = _teller(as_json)
    say(f"Workspace: {folder}")
    with _playing(folder) as play:
        engine = database.connect(play.workspace.database_url)
        try:
            _until_done(play, engine, say)
        finally:
            code = _stop(play.process)
        with database.reading(engine) as connection:
            book = records.export(connection)
        broken = health.verify(engine, {name: bootstrap.make_folders(play.workspace, p) for name, p in play.workspace.profiles.items()})
        engine.dispose()
    totals = sum_up(book, broken)
    wrong = {name: (totals[name], value) for name, value in EXPECTED.items() if totals[name] != value}
    if code != 0:
        wrong["exit code of gateway run"] = (str(code), "0")
    if as_json:
        say_json({"workspace": str(folder), "seconds": round(time.monotonic() - started, 1), "totals": totals, "wrong": wrong, "returns": rows(book)})
    else:
        show(folder, book, totals, wrong, seconds=time.monotonic() - started)
    return 1 if wrong else 0


def _teller(as_json: bool) -> Callable[[str], None]:
    return (lambda text: click.echo(text, err=True)) if as_json else click.echo


@contextmanager
def _playing(folder: Path) -> Iterator[Play]:
    """Workspace, simulator, partners, and the gateway's own process."""
    if (folder / config.FILE_NAME).exists():
        raise DemoError(f"{folder} is a workspace already; name a new folder with --dir, so that nothing of yours is touched")
    folder.mkdir(parents=True, exist_ok=True)
    make_workspace(folder)
    settings = folder / config.FILE_NAME
    settings.write_text(settings.read_text(encoding="utf-8") + FAST, encoding="utf-8")
    for path in (folder / "mappings").glob("*.toml"):
        path.write_text(path.read_text(encoding="utf-8").replace("settle_seconds = 5.0", "settle_seconds = 0.5"), encoding="utf-8")
    clock = SimClock()
    world = harbor_and_pine(World(clock))
    for rma in RMAS:
        open_known_return(world, rma)
    with Simulator(world) as simulator:
        environment = {
            **os.environ,
            "GATEWAY_LOOP_BASE_URL": simulator.loop_url,
            "GATEWAY_LOOP_API_KEY": simulator.loop_key,
            "GATEWAY_SHOPIFY_BASE_URL": simulator.shopify_url,
            "GATEWAY_SHOPIFY_TOKEN": simulator.shopify_token,
            "GATEWAY_UI_LISTEN": "off",  # nobody can sign in to a workspace of seconds
        }
        for name in ("GATEWAY_WORKSPACE", "GATEWAY_DATABASE_URL", "GATEWAY_CLOCK_FILE"):
            environment.pop(name, None)
        workspace = config.load(str(folder), environment=environment)
        partners = [Partner(name, folder / "outbox" / name, folder / "inbox" / name, clock, SCRIPT) for name in ("ATLAS", "PACIFIC")]
        log = (folder / "gateway-run.log").open("wb")
        process = subprocess.Popen([sys.executable, "-m", "gateway", "run", "--config", str(folder)], env=environment, stdout=log, stderr=log)
        try:
            yield Play(folder, workspace, simulator, partners, process)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            log.close()
            _keep_taken(folder, partners)


def _keep_taken(folder: Path, partners: list[Partner]) -> None:
    """Keep what the partners took out of the outbox, so that it can be looked at."""
    for partner in partners:
        for taken in partner.taken:
            place = folder / "taken-by-partner" / partner.code
            place.mkdir(parents=True, exist_ok=True)
            (place / taken.name).write_bytes(taken.data)


def _until_done(play: Play, engine: Any, say: Callable[[str], None]) -> None:
    """Let everybody act until every return is at its end."""
    pause = threading.Event()
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        if play.process.poll() is not None:
            raise DemoError(f"`gateway run` ended early; what it said is in {play.folder / 'gateway-run.log'}")
        if lock.is_running(play.workspace.var):
            for partner in play.partners:
                for done in partner.step():
                    say(f"  {partner.code} {done}")
            _review(play, say)
            if _tell_progress(play, engine, say):
                return
        pause.wait(STEP_SECONDS)
    raise DemoError(f"not every return came to its end in {LONGEST_SECONDS:.0f} s; `gateway status --config {play.folder}` shows where they stand")


def _review(play: Play, say: Callable[[str], None]) -> None:
    """The reviewer in Loop Admin: takes the missing cap off the short return, processes the damaged one with restock unticked."""
    world = play.simulator.world
    if world.return_(77000003).state == "review":
        world.review(77000003, process=True, remove=[830003])
        say("  Reviewer in Loop: took CAP-NVY-OS off 77000003 and processed the rest")
    if world.return_(77000004).state == "review":
        world.review(77000004, process=True, restock=False)
        say("  Reviewer in Loop: processed 77000004 without restock")


def _tell_progress(play: Play, engine: Any, say: Callable[[str], None]) -> bool:
    """Print each step as it happens; True when all is done."""
    with database.reading(engine) as connection:
        states = {row["rma"]: row["state"] for row in records.authorizations(connection)}
        orders = records.all_orders(connection)
        exported = {row["target"] for row in records.all_effects(connection) if row["kind"] == "shopify.stock" and row["state"] == "confirmed"}
    for rma, state in states.items():
        if play.steps.get(rma) != state:
            play.steps[rma] = state
            say(f"{rma}: {state}")
    wanted = {f"7001/{sku}" for sku in ("TEE-BLK-M", "HOOD-GRY-M", "DRS-RED-6")}
    return len(states) == len(RMAS) and set(states.values()) == {"closed"} and bool(orders) and wanted <= exported and _idle(play)


def _idle(play: Play) -> bool:
    world = play.simulator.world
    return all(any("receipt" in note.content for note in world.return_(rma).notes) for rma in RMAS)


def _stop(process: subprocess.Popen[bytes]) -> int:
    """Stop the gateway as a service manager does, and give it the time it promises."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM) if os.name != "nt" else process.terminate()
    try:
        return process.wait(25)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def sum_up(book: dict[str, Any], broken: list[str]) -> dict[str, str]:
    """The totals of A-123."""
    settled = [(s["kind"], Decimal(s["amount"])) for invoice in book["invoices"] for s in invoice["settlements"]]
    lines = [line for ra in book["ras"] for line in ra["lines"]]

    def money(kind: str) -> str:
        return f"{sum((amount for k, amount in settled if k == kind), Decimal('0.00')):.2f}"

    return {
        "credits": f"{sum((Decimal(i['total']) for i in book['invoices']), Decimal('0.00')):.2f}",
        "cash": money("cash"),
        "exchange credit": money("exchange credit"),
        "good": str(sum(line["good"] for line in lines)),
        "second": str(sum(line["second"] for line in lines)),
        "not returned": str(sum(line["not_returned"] for line in lines)),
        "differences": str(len(broken)),
    }


def rows(book: dict[str, Any]) -> list[dict[str, str]]:
    """Each return in a line: what came, what was decided and why, money, stock."""
    found = []
    for ra in sorted(book["ras"], key=lambda r: r["rma"]):
        rma = ra["rma"]
        came = ", ".join(f"{x['sku']} {x['good'] + x['second']}/{x['expected']}" + (" damaged" if x["second"] else "") for x in ra["lines"])
        invoice = next((i for i in book["invoices"] if i["rma"] == rma), None)
        paid = " + ".join(f"{s['kind']} {s['amount']}" for s in invoice["settlements"]) if invoice else ""
        order = next((o for o in book["orders"] if o["rma"] == rma), None)
        refund = next((r["refund_id"] for r in book["refunds"] if r["rma"] == rma), "")
        stock = ", ".join(f"{m['warehouse']} {m['sku']} +{m['qty']}" for m in book["stock"] if f"refund {refund} " in m["ref"])
        found.append(
            {
                "return": f"{rma} {TITLES.get(rma, '')}",
                "came": came,
                "decided": ra["decision"] + (f" ({', '.join(ra['reasons'])})" if ra["reasons"] else " (in full and good)"),
                "money": f"credit {invoice['total'] if invoice else '0.00'} = {paid}" + (f"; {order['name']} A/R {order['ar']}" if order else ""),
                "stock": stock,
            }
        )
    return found


def where(folder: Path, book: dict[str, Any]) -> list[list[str]]:
    """Each return's files and where they lie."""
    found = []
    for document in book["documents"]:
        place = "taken-by-partner/" + f"{document['partner']}/{document['file']}" if document["direction"] == "out" else "var/" + document["place"]
        found.append([document["rma"], document["document"], str(folder / place)])
    return found


def show(folder: Path, book: dict[str, Any], totals: dict[str, str], wrong: dict[str, tuple[str, str]], *, seconds: float) -> None:
    """The table, the totals, and where everything lies."""
    listed = rows(book)
    click.echo("")
    table(list(listed[0]), [list(row.values()) for row in listed], title="What became of the four returns")
    click.echo("")
    table(["total", "found", "expected"], [[name, totals[name], value] for name, value in EXPECTED.items()], title="Totals")
    click.echo("")
    table(["return", "file", "where it lies now"], where(folder, book), title="Files")
    click.echo("")
    click.echo(f"Ask more:  gateway explain 77000003 --timeline --config {folder}")
    for name, (found, expected) in wrong.items():
        click.echo(f"WRONG: {name} is {found}, expected {expected}", err=True)
    click.echo(f"{'Every total is right' if not wrong else 'Some totals are wrong'}; {seconds:.1f} s.")
