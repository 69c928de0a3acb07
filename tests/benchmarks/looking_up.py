"""How long people wait for an answer in a large book: `python -m tests.benchmarks.looking_up [RETURNS]`.

Makes a workspace with so many returns of three months (one in twenty still waits for its goods), then runs the commands as a person does, and prints
seconds of the clock and of the processor, and the processor time of a bare import of SQLAlchemy and click beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from gateway.cli.setup import make_workspace
from gateway.domain.documents import Authorization, AuthorizationLine, Label, Return, ReturnUnit
from gateway.store import audit, database, documents, events
from gateway.store.schema import authorization_lines, authorizations, returns, tracking_numbers

FIRST = 80_000_000
COMMANDS = (
    ("find", "{rma}"),
    ("find", "{tracking}"),
    ("find", "#{order}"),
    ("explain", "{rma}"),
    ("status", "--json"),
    ("report", "aging", "--json"),
    ("recap", "--json"),
)


def fill(url: str, count: int) -> None:
    """Write so many returns, each with an RA of two lines, closed but for one in twenty."""
    engine = database.connect(url)
    database.migrate(engine)
    now = datetime.now(UTC)
    for start in range(0, count, 5000):
        with database.writing(engine) as connection:
            rows = [
                make(FIRST + n, now - timedelta(days=90 * (count - n) / count), closed=n % 20 != 0) for n in range(start, min(start + 5000, count))
            ]
            for table, place in ((returns, 0), (authorizations, 1), (tracking_numbers, 3)):
                connection.execute(table.insert(), [row[place] for row in rows])
            connection.execute(authorization_lines.insert(), [line for row in rows for line in row[2]])
            for row in rows:
                events.note(connection, "ra.made", "made", at=now, rma=str(row[0]["rma"]), ra=str(row[1]["ra"]))
    sealed = audit.MOST_EVENTS
    while sealed == audit.MOST_EVENTS:
        with database.writing(engine) as connection:
            sealed = audit.seal(connection)
    engine.dispose()


def make(number: int, at: datetime, *, closed: bool) -> tuple[dict[str, object], dict[str, object], list[dict[str, object]], dict[str, object]]:
    """The rows of one return."""
    rma, ra, tracking, instant = str(number), f"RA{number}", f"1Z999{number}", database.instant(at)
    units = tuple(
        ReturnUnit(line_item_id=f"{number}{n}", order_line_id=f"{number}{n}", sku=sku, price=Decimal("30.00"), value=Decimal("32.40"))
        for n, sku in enumerate(("TEE-BLK-M", "HOOD-GRY-M"))
    )
    label = Label(carrier="UPS", tracking_number=tracking, status="in_transit")
    document = Return(
        rma=rma, state="closed" if closed else "open", outcomes=frozenset({"refund"}), order_id=f"5{number}", order_name=f"#{number}", currency="USD",
        created_at=at, updated_at=at, units=units, labels=(label,),
    )  # fmt: skip
    lines = tuple(
        AuthorizationLine(line_no=n, sku=u.sku, upc="", title="", quantity=1, unit_ids=(u.line_item_id,), value=Decimal("30.00"), tax=Decimal("2.40"))
        for n, u in enumerate(units, start=1)
    )
    made = Authorization(
        ra=ra, rma=rma, version=1, partner="ATLAS", warehouse="NJ1", order_id=f"5{number}", order_name=f"#{number}", currency="USD", created_at=at,
        lines=lines, tracking_numbers=(tracking,),
    )  # fmt: skip
    kept = {"rma": rma, "state": document.state, "order_id": document.order_id, "order_name": document.order_name, "updated_at": instant}
    kept |= {"document": documents.dump(document), "imported_at": instant, "closed_at": instant if closed else None}
    authorized = {
        "ra": ra,
        "rma": rma,
        "version": 1,
        "partner": "ATLAS",
        "warehouse": "NJ1",
        "state": "closed" if closed else "sent",
        "sent_at": instant,
    }
    authorized |= {"document": documents.dump(made), "created_at": instant, "currency": "USD", "value_cents": 6480}
    rows: list[dict[str, object]] = [
        {"ra": ra, "sku": line.sku, "line_no": line.line_no, "expected": 1, "good": int(closed), "unit_ids": database.pack(line.unit_ids)}
        for line in lines
    ]
    return kept, authorized, rows, {"number": tracking, "ra": ra}


def run(*line: str) -> tuple[float, float]:
    """Seconds of the clock and of the processor, the better of three."""
    best = (9e9, 9e9)
    for _ in range(3):
        before, started = os.times(), time.perf_counter()
        subprocess.run([sys.executable, *line], capture_output=True, check=False, timeout=300)
        after, ended = os.times(), time.perf_counter()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        best = min(best, (ended - started, spent))
    return best


def main() -> None:
    """Fill, ask, print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_workspace(folder)
        fill(f"sqlite:///{folder / 'var' / 'gateway.db'}", count)
        some = FIRST + count // 2 + 1
        print(f"{count} returns, {(folder / 'var' / 'gateway.db').stat().st_size / 1e6:.0f} MB")
        print(f"{'bare import':40} {run('-c', 'import click, sqlalchemy, sqlalchemy.dialects.sqlite')[1]:.2f} s of the processor")
        for words in COMMANDS:
            line = [word.format(rma=some, tracking=f"1Z999{some}", order=some) for word in words]
            clock, spent = run("-m", "gateway", *line, "--config", str(folder))
            print(f"{'gateway ' + ' '.join(line):40} {clock:.2f} s, {spent:.2f} s of the processor")


if __name__ == "__main__":
    main()
