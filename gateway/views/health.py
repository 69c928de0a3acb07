"""Whether all is well, and whether the book is true: `status` and `verify`."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine

from gateway.domain.documents import ZERO
from gateway.folders import PartnerFolders
from gateway.store import audit, database, events, files, ledger, returns, workqueue


def status(engine: Engine, folders: Mapping[str, PartnerFolders], *, now: datetime, ready: bool) -> dict[str, Any]:
    """The state of the whole: ready, idle, counts, problems."""
    with database.reading(engine) as connection:
        due = workqueue.due_count(connection, now=now)
        jobs = events.due_jobs(connection, now=now) if ready else []
        tasks = events.open_tasks(connection)
        counts = {
            "queue_due": due,
            "queue_all": len(workqueue.waiting(connection)),
            "open_tasks": len(tasks),
            "ras": returns.count_by_state(connection),
            "files": files.count_by_outcome(connection),
        }
        alerts = [a for a in events.list_alerts(connection) if a["open"]]
    arriving = {name: folder.waiting() for name, folder in folders.items()}
    in_hand = sum(len(folder.claimed()) for folder in folders.values())
    moving = sum(1 for waiting in arriving.values() for _, incomplete in waiting if not incomplete)
    counts |= {"arriving": moving, "in_hand": in_hand}
    problems = [f"{a['kind']}: {a['text']}" for a in alerts] + [t["text"] for t in tasks]
    return {"ready": ready, "idle": not (due or jobs or moving or in_hand), "counts": counts, "problems": problems}


def verify(engine: Engine, folders: Mapping[str, PartnerFolders]) -> list[str]:
    """What is broken: database, seals, archived files, units, money, stock; empty when all is true."""
    broken = [f"database: {text}" for text in database.check(engine)]
    with database.reading(engine) as connection:
        broken += [f"audit: {text}" for text in itertools.islice(audit.find_broken(connection), 100)]
        broken += list(check_archive(connection, folders))
        broken += list(check_units(connection))
        broken += list(check_money(connection))
        broken += list(check_stock(connection))
    return broken


def check_archive(connection: Connection, folders: Mapping[str, PartnerFolders]) -> Iterable[str]:
    """Every file taken in is where the book says, unchanged."""
    for file in files.list_files(connection):
        if file.direction == "out":
            if file.content is not None and hashlib.sha256(file.content).hexdigest() != file.kept_sha256:
                yield f"file {file.id} {file.name}: the kept bytes do not match their hash"
            continue
        folder = folders.get(file.partner)
        if folder is None or file.state != "shelved":
            continue
        path = folder.resolve(file.place)
        if not path.is_file():
            yield f"file {file.id} {file.name}: not in the archive at {file.place}"
            continue
        digest = hashlib.sha256()
        for chunk in folder.read(file.place):
            digest.update(chunk)
        if digest.hexdigest() != file.kept_sha256:
            yield f"file {file.id} {file.name}: changed in the archive at {file.place}"


def check_units(connection: Connection) -> Iterable[str]:
    """Received units are backed by receipts, and no RA line has more than was expected (R-090)."""
    for held in returns.every_authorization(connection):
        backed: dict[str, int] = {}
        for receipt in returns.receipts_of(connection, held.document.ra):
            for line in receipt.document.lines:
                backed[line.sku] = backed.get(line.sku, 0) + line.good + line.second
        for row in returns.lines_of(connection, held.document.ra):
            come = row["good"] + row["second"]
            if come + row["not_returned"] > row["expected"] or come + row["over"] > backed.get(row["sku"], 0):
                yield (
                    f"units: RMA {held.document.rma} {held.document.ra} {row['sku']}: expected {row['expected']}, good {row['good']}, second {row['second']}, "
                    f"not returned {row['not_returned']}, over {row['over']}, but receipts have {backed.get(row['sku'], 0)}"
                )


def check_money(connection: Connection) -> Iterable[str]:
    """A credit invoice is its parts and its settlements; there is one for each refund that credits something (R-112, R-113)."""
    invoices = {row["refund_id"]: row for row in ledger.list_invoices(connection)}
    for row in invoices.values():
        parts = sum((Decimal(row[name]) for name in ("merchandise", "tax", "shipping", "duties", "adjustment")), ZERO)
        settled = sum((s.amount for s in ledger.settlements(row)), ZERO)
        if not parts == settled == Decimal(row["total"]):
            yield f"money: {row['number']} (RMA {row['rma']}): total {row['total']}, parts {parts}, settled {settled}"
    for refund in ledger.list_refunds(connection):
        invoiced = Decimal(invoices[refund["refund_id"]]["total"]) if refund["refund_id"] in invoices else ZERO
        if invoiced != Decimal(refund["credit"]):
            yield f"money: refund {refund['refund_id']} (RMA {refund['rma']}): credit {refund['credit']}, invoice {invoiced}"


def check_stock(connection: Connection) -> Iterable[str]:
    """Stock posted for a return is what its refund lines restocked, and never more than was received (R-111)."""
    for rma in ledger.returns_with_stock(connection):
        received: dict[str, int] = {}
        for held in returns.authorizations_of(connection, rma):
            for row in returns.lines_of(connection, held.document.ra):
                received[row["sku"]] = received.get(row["sku"], 0) + row["good"] + row["second"]
        for sku, quantity in ledger.posted_for(connection, rma).items():
            if received and quantity > received.get(sku, 0):
                yield f"stock: RMA {rma} {sku}: {quantity} posted, {received.get(sku, 0)} received"
        credited = ledger.credited_for(connection, rma)
        for sku, quantity in ledger.posted_for(connection, rma).items():
            if quantity > credited.get(sku, 0):
                yield f"stock: RMA {rma} {sku}: {quantity} posted, {credited.get(sku, 0)} credited by refunds"
