"""How long a page takes with many returns in the book: `python -m tests.benchmarks.pages [--returns N] [--live N] [--days N] [--book FOLDER] [--budget 300]`.

The book is that of `large_book`. Each page is asked for through the whole application, figures that are kept for some seconds counted anew each time; the
median and the longest of five are printed.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gateway.cli.pages import make_desk
from gateway.store import database, searching
from gateway.web.app import make_app
from gateway.web.routes import ROUTES
from tests.benchmarks.large_book import FIRST, book_options, opened
from tests.browser import scene


def addresses(count: int, file_id: int) -> Iterator[str]:
    """Every page, and the look-ups."""
    middle = FIRST + count // 2
    real = {"report": "expected", "number": str(middle), "file_id": str(file_id), "name": "ATLAS"}
    for route in ROUTES:
        if route.method == "GET" and "<report>" not in route.path:  # a report reads its whole period
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
    chosen = book_options(__doc__, returns=200_000, days=90, budget=300.0).parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(chosen.book or Path(folder) / "book", count=chosen.returns, live=chosen.live, days=chosen.days) as stage,
    ):
        with database.reading(stage.ctx.engine) as connection:
            (file,) = searching.find(connection, f"ATLAS_944_{FIRST + chosen.returns // 2}.edi")
        desk = replace(make_desk(stage.workspace, stage.ctx), figure_seconds=0.0)
        client = make_app(desk).test_client()
        client.post("/sign-in", data={"name": "anna", "password": scene.PASSWORD, "next": "/"})
        slow = 0
        for path in addresses(chosen.returns, int(file["id"])):
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
