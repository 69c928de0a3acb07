"""A book with a long past, for benchmarks: the rows of one real return copied under new numbers, so that every table has the size and shape it would have.

The copies are spread over `days`; one in `count / live` is still on its way, and the other returns of the scene stay as they are. Each copy has its RA, lines,
tracking number, receipt, decision, effects (done), refund, credit invoice, stock movements, its 17 events (sealed), the file in and the file out. Three in four
have SKUs of their own group, so that there are some thousand SKUs and two that sell best. Tasks that are closed, runs, messages and files fetched are added.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, String, Table, Text

from gateway.store import database, schema
from tests.browser import scene
from tests.stage import Stage

KNOWN = "77000001"
FIRST = 10_000_000
OPEN = ("sent", "acknowledged", "partly received", "flagged", "processed", "queued")
GROUPS = 1000
COPIED = (
    schema.files,
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
    schema.file_documents,
)
FILES_OF = f"SELECT file_id FROM receipts WHERE ra = 'RA{KNOWN}' UNION SELECT file_id FROM file_documents WHERE ra = 'RA{KNOWN}'"
WHERE = {"effects": f"target = '{KNOWN}'", "refund_lines": "refund_id = '6100001'", "files": f"id IN ({FILES_OF})"}
FILE = "1000 * (1 + n.number) + p."
SKU = f"CASE WHEN n.number % 4 = 0 THEN p.sku ELSE p.sku || '-' || (n.number % {GROUPS}) END"
OWN = {
    ("", "file_id"): f"CASE WHEN p.file_id IS NULL THEN NULL ELSE {FILE}file_id END",
    ("", "sku"): SKU,
    ("events", "at"): "n.at",
    ("events", "link"): f"{FILE}id",
    ("events", "seal"): "p.digest",
    ("files", "id"): f"{FILE}id",
    ("files", "name"): "CASE p.direction WHEN 'in' THEN 'ATLAS_944_' ELSE 'ATLAS_856_' END || n.own || '.edi'",
    ("files", "sha256"): f"printf('%064d', {FILE}id)",
    ("files", "claimed_as"): "CASE WHEN p.claimed_as IS NULL THEN NULL ELSE 'ATLAS/' || n.own END",
    ("files", "control"): "printf('%09d', n.number)",
    ("file_documents", "acknowledgement"): "CASE WHEN p.direction = 'in' THEN p.acknowledgement WHEN n.state = 'sent' THEN 'awaiting' ELSE 'accepted' END",
    ("receipts", "receipt_no"): "'WR' || n.own",
    ("receipts", "content_key"): "n.own",
    ("tracking_numbers", "number"): "'1Z' || n.own",
    ("returns", "order_id"): "'9' || n.own",
    ("returns", "order_name"): "'#9' || n.own",
    ("authorizations", "state"): "n.state",
    ("authorization_lines", "good"): "CASE WHEN n.state IN ('sent', 'acknowledged', 'queued', 'flagged') THEN 0 ELSE p.good END",
    ("stock_ledger", "reference"): "p.reference || n.own",
}  # fmt: skip


def book_options(description: str | None, *, returns: int, days: int, budget: float) -> argparse.ArgumentParser:
    """What a benchmark on such a book is asked with."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--returns", type=int, default=returns)
    parser.add_argument("--live", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=days)
    parser.add_argument("--book", type=Path, help="a folder to keep the book in")
    parser.add_argument("--budget", type=float, default=budget, help="milliseconds")
    return parser


@contextmanager
def opened(folder: Path, *, count: int, live: int, days: int) -> Iterator[Stage]:
    """A stage on a book of so many returns; one that is in the folder already is used as it is."""
    there = (folder / "filled").exists()
    with Stage(folder) as stage:
        if not there:
            scene.fill(stage)
            fill(stage, count=count, live=live, days=days)
            (folder / "filled").touch()
        yield stage


def fill(stage: Stage, *, count: int, live: int, days: int) -> None:
    """Write the copies; indexes are made afterwards, and nothing is flushed on the way."""
    stage.ctx.engine.dispose()
    book = sqlite3.connect(stage.folder / "var" / "gateway.db", isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-500000", "temp_store=MEMORY"):
        book.execute(f"PRAGMA {pragma}").fetchall()
    indexes = book.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    for name, _ in indexes:
        book.execute(f"DROP INDEX {name}")
    book.execute("BEGIN")
    book.execute("CREATE TEMP TABLE n (number INTEGER, own TEXT, at TEXT, state TEXT)")
    every = max(count // live, 1)
    rows = ((number, str(FIRST + number), instant(stage, number / count, days), state_of(number, every)) for number in range(count))
    book.executemany("INSERT INTO n VALUES (?, ?, ?, ?)", rows)
    for table in COPIED:
        copy(book, table)
    add_past(stage, book, count, days)
    book.execute("COMMIT")
    for _, sql in indexes:
        book.execute(sql)
    book.execute("PRAGMA journal_mode=WAL").fetchall()
    book.close()


def state_of(number: int, every: int) -> str:
    """The state of a copy's RA."""
    return "closed" if number % every else OPEN[number // every % len(OPEN)]


def instant(stage: Stage, share: float, days: int) -> str:
    """A time in the past of the book."""
    return database.instant(stage.ctx.now() - timedelta(days=days * (1 - share)))


def copy(book: sqlite3.Connection, table: Table) -> None:
    """Copy the rows of the one return once for each number, each column with the number in the place of the one it had."""
    where = WHERE.get(table.name, f"rma = '{KNOWN}'" if "rma" in table.c else f"ra = 'RA{KNOWN}'")
    columns = [c for c in table.c if not (c.name == "id" and table.name != "files")]
    values = [OWN.get((table.name, c.name)) or OWN.get(("", c.name)) or plain(c) for c in columns]
    names = ", ".join(f'"{c.name}"' for c in columns)
    book.execute(
        f"INSERT INTO {table.name} ({names}) SELECT {', '.join(values)} FROM n CROSS JOIN (SELECT * FROM {table.name} WHERE {where} ORDER BY rowid) AS p"
    )


def plain(column: Column[Any]) -> str:
    """A column's value in a copy: instants moved, numbers of the return replaced."""
    name = f"p.{column.name}"
    if column.name.endswith("_at"):
        return f"CASE WHEN {name} IS NULL THEN NULL ELSE n.at END"
    return f"replace(replace({name}, '{KNOWN}', n.own), '6100001', n.own)" if isinstance(column.type, (String, Text)) else name


def add_past(stage: Stage, book: sqlite3.Connection, count: int, days: int) -> None:
    """What else gathers: 2,000 open tasks and a closed one for every fifty returns, runs of jobs, messages, files fetched from a server."""
    for number in range(2000 + count // 50):
        is_open, at = number < 2000, instant(stage, number / (2000 + count // 50), days)
        row = {"kind": "held return", "subject": f"t{number}", "rma": str(FIRST + number), "text": f"task {number}", "open": is_open, "opened_at": at}
        put(book, schema.tasks, row | {"closed_at": None if is_open else at, "advice": "", "owner": "", "note": "", "closed_because": ""})
    for number in range(count // 20):
        at = instant(stage, number / (count // 20), days)
        put(book, schema.job_runs, {"job": "ShopifyImportRefunds", "scope": "", "started_at": at, "ended_at": at, "reasons": "[]", "trouble": ""}
            | dict.fromkeys(("read", "done", "skipped", "failed"), 0))  # fmt: skip
        put(book, schema.messages, {"key": f"m{number}", "kind": "alert", "channel": "mail", "subject": "", "body": "", "html": "", "state": "sent",
            "attempts": 1, "cause": "", "created_at": at, "settled_at": at})  # fmt: skip
        put(book, schema.remote_files, {"partner": "PACIFIC", "direction": "in", "folder": "live", "name": f"f{number}", "stamp": "1", "size": 1,
            "state": "done", "remote_name": "", "local_name": "", "trouble": "", "owner": "", "lease_until": "", "fence": 0, "started_at": at,
            "changed_at": at})  # fmt: skip


def put(book: sqlite3.Connection, table: Table, row: dict[str, Any]) -> None:
    """One row."""
    names = ", ".join(f'"{name}"' for name in row)
    book.execute(f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
