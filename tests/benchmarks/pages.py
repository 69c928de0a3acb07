"""How long a page takes with many returns in the book: `python -m tests.benchmarks.pages [--returns 200000] [--budget 300]`.

The book is filled by copying the rows of four real returns under new numbers, so that every table has the size and shape it would have. Each page is then
asked for through the whole application, figures that are kept for some seconds counted anew each time; the median and the longest of five are printed.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, String, Table, Text

from gateway.cli.pages import make_desk
from gateway.store import database, schema
from gateway.web.app import make_app
from gateway.web.routes import ROUTES
from tests.browser import scene
from tests.stage import Stage

OPEN_SHARE = {0: "sent", 1: "acknowledged", 2: "partly received", 3: "flagged", 4: "processed", 5: "queued"}
KNOWN = "77000001"
COPIED = (
    schema.returns,
    schema.authorizations,
    schema.authorization_lines,
    schema.tracking_numbers,
    schema.receipts,
    schema.decisions,
    schema.effects,
    schema.refunds,
    schema.refund_lines,
    schema.credit_invoices,
    schema.stock_ledger,
    schema.events,
    schema.files,
    schema.file_documents,
)


def fill(stage: Stage, count: int) -> None:
    """Copy one whole return under new numbers, spread over ninety days; one in ten is still on its way."""
    with database.writing(stage.ctx.engine) as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE n (number INTEGER, own TEXT, at TEXT, state TEXT)")
        rows = [(number, str(10_000_000 + number), instant(stage, number, count), state_of(number)) for number in range(count)]
        connection.exec_driver_sql("INSERT INTO n VALUES (?, ?, ?, ?)", rows)
        for table in sorted(COPIED, key=lambda t: t is not schema.files):
            copy(connection, table)
        tasks = [
            {
                "kind": "held return",
                "subject": f"t{n}",
                "rma": str(10_000_000 + n),
                "text": f"task {n}",
                "open": True,
                "opened_at": instant(stage, n, 2000),
            }
            for n in range(2000)
        ]
        connection.execute(schema.tasks.insert(), tasks)
        connection.exec_driver_sql("ANALYZE")


def state_of(number: int) -> str:
    """The state of a copy's RA."""
    return OPEN_SHARE[number // 10 % len(OPEN_SHARE)] if number % 10 == 0 else "closed"


def instant(stage: Stage, number: int, count: int) -> str:
    """A time in the last ninety days."""
    return database.instant(stage.ctx.now() - timedelta(seconds=90 * 86400 * (1 - number / count)))


def copy(connection: Connection, table: Table) -> None:
    """Copy the rows of the one return once for each number, each column with the number in the place of the one it had."""
    ra, sender = f"RA{KNOWN}", f"SELECT file_id FROM receipts WHERE ra = 'RA{KNOWN}'"
    where = {"effects": f"target = '{KNOWN}'", "refund_lines": "refund_id = '6100001'", "files": f"id IN ({sender})"}.get(
        table.name, f"rma = '{KNOWN}'" if "rma" in table.c else f"ra = '{ra}'"
    )
    columns = [c for c in table.c if not (c.name == "id" and table.name != "files")]
    values = [OWN.get((table.name, c.name)) or OWN.get(("", c.name)) or plain(c) for c in columns]
    names = ", ".join(c.name for c in columns)
    chosen = f"SELECT * FROM {table.name} WHERE {where}"
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) SELECT {', '.join(values)} FROM n, ({chosen}) AS p")


def plain(column: Column[Any]) -> str:
    """A column's value in a copy: instants moved, numbers of the return replaced."""
    name = f"p.{column.name}"
    if column.name.endswith("_at"):
        return f"CASE WHEN {name} IS NULL THEN NULL ELSE n.at END"
    return f"replace(replace({name}, '{KNOWN}', n.own), '6100001', n.own)" if isinstance(column.type, (String, Text)) else name


OWN = {
    ("", "file_id"): "CASE WHEN p.file_id IS NULL THEN NULL ELSE 1000000 + n.number END",
    ("events", "at"): "n.at",
    ("files", "id"): "1000000 + n.number",
    ("files", "name"): "'ATLAS_944_' || n.own || '.edi'",
    ("files", "sha256"): "printf('%064d', n.number)",
    ("files", "claimed_as"): "'ATLAS/' || n.own",
    ("files", "control"): "printf('%09d', n.number)",
    ("file_documents", "acknowledgement"): "CASE WHEN n.state = 'sent' THEN 'awaiting' ELSE 'accepted' END",
    ("receipts", "receipt_no"): "'WR' || n.own",
    ("receipts", "content_key"): "n.own",
    ("tracking_numbers", "number"): "'1Z' || n.own",
    ("returns", "order_id"): "'9' || n.own",
    ("returns", "order_name"): "'#9' || n.own",
    ("authorizations", "state"): "n.state",
    ("stock_ledger", "reference"): "p.reference || n.own",
}


def addresses(count: int) -> Iterator[str]:
    """Every page, and the look-ups."""
    middle = 10_000_000 + count // 2
    real = {"report": "expected", "number": str(middle), "file_id": str(1_000_000 + count // 2), "name": "ATLAS"}
    for route in ROUTES:
        if route.method == "GET":
            yield re.sub(r"<(?:int:)?(\w+)>", lambda found: real[found[1]], route.path)
    yield from (
        "/returns?state=closed",
        "/desk?order=value",
        "/files?outcome=error",
        "/differences?which=received",
        "/refunds?status=held",
        "/audit?who=people",
    )
    numbers = (str(middle), f"%239{middle}", f"1Z{middle}", "TEE-BLK-M", f"WR{middle}", f"{count // 2:09d}", f"ATLAS_944_{middle // 1000}", "nothing")
    yield from (f"/find?q={text}" for text in numbers)
    yield from ("/health", "/metrics")


def main() -> int:
    """Fill, ask, print; 1 when a page takes longer than its budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--returns", type=int, default=200_000)
    parser.add_argument("--budget", type=float, default=300.0, help="milliseconds")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder) / "stage") as stage:
        scene.fill(stage)
        began = time.perf_counter()
        fill(stage, chosen.returns)
        print(f"{chosen.returns} returns filled in {time.perf_counter() - began:.0f} s")
        desk = replace(make_desk(stage.workspace, stage.ctx), figure_seconds=0.0)
        client = make_app(desk).test_client()
        client.post("/sign-in", data={"name": "anna", "password": scene.PASSWORD, "next": "/"})
        slow = 0
        for path in addresses(chosen.returns):
            times = []
            for _ in range(5):
                began = time.perf_counter()
                answer = client.get(path)
                times.append((time.perf_counter() - began) * 1000)
                assert answer.status_code < 400 or path == "/health", (path, answer.status_code)
            median, longest = statistics.median(times), max(times)
            slow += median > chosen.budget
            print(f"{path:40} median {median:7.1f} ms   longest {longest:7.1f} ms{'   OVER' if median > chosen.budget else ''}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
