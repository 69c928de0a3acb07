"""How fast RAs become 856 bytes, each value checked and the whole read back, against bare Jinja2 rendering of the same template in the same run.

Run it as `python tests/benchmarks/outbound_856.py [sets]`. The yardstick is `Template.render` of a plain environment, compiled once: no sandbox, no check of a
value, no envelope, no counts, nothing read back.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from jinja2 import Environment, StrictUndefined

from gateway.domain.documents import Authorization, AuthorizationLine
from gateway.mapping import outbound
from gateway.mapping.profiles import read_profile
from tests.benchmarks import measuring

AT = datetime(2026, 3, 10, 14, 5, tzinfo=UTC)
TEMPLATE = (Path(__file__).resolve().parents[2] / "templates" / "856.x12.j2").read_text()
PROFILE = read_profile(
    'partner = "JUNIPER"\nname = "Juniper"\n[x12]\npartner_id = "JUNIPER3PL"\nour_id = "ACMESHOES"\n[receive.x12_receipt]\ndamaged_quantity = "included"\n',
    source="benchmark",
)


def authorizations(number: int) -> list[Authorization]:
    """So many RAs of one to four lines, no two alike."""
    return [
        Authorization(
            ra=f"RA{n:07d}",
            rma=f"{n:08d}",
            version=1,
            partner="JUNIPER",
            warehouse="DC02",
            order_id=f"{n}",
            order_name=f"#{10000 + n}",
            currency="USD",
            created_at=AT,
            carrier="UPS Ground",
            tracking_numbers=(f"1Z999AA1{n:010d}",),
            lines=tuple(
                AuthorizationLine(
                    line_no=k, sku=f"SHOE-{n * 7 + k:05d}", upc=f"61414{n * 4 + k:07d}", title=f"Röd sko nº {n} storlek {36 + k}" if n % 5 == 0 else f"Shoe {n}",
                    quantity=1 + (n + k) % 3, unit_ids=(), value=outbound_value(k), tax=outbound_value(0), reason="Too small",
                )
                for k in range(1, 2 + n % 4)
            ),
        )
        for n in range(1, number + 1)
    ]  # fmt: skip


def outbound_value(k: int) -> Decimal:
    """A price; the 856 does not print it."""
    return Decimal(k) * 10


def bare(ras: list[Authorization]) -> int:
    """Characters that bare Jinja2 makes."""
    return sum(len(BARE.render(ra=ra, profile=PROFILE, purpose="00", at=AT, created_at=ra.created_at)) for ra in ras)


def write(ras: list[Authorization], batch: int) -> int:
    """Bytes of files with so many sets each."""
    size = 0
    for first in range(0, len(ras), batch):
        controls = outbound.Controls(interchange=first + 1, group=first + 1)
        some = ras[first : first + batch]
        size += len(outbound.to_x12(some, profile=PROFILE, template=TEMPLATE, controls=controls, purpose="original", at=AT))
    return size


BARE = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined).from_string(TEMPLATE)


def main(number: int) -> None:
    """Measure all in turn, and print the ratios."""
    ras = authorizations(number)
    works = {"bare Jinja2": partial(bare, ras), "files of 100 sets": partial(write, ras, 100), "files of one set": partial(write, ras, 1)}
    for work in works.values():
        work()  # patterns and templates are made
    measuring.show(measuring.in_turn(works, rounds=7), number, unit="sets/s")
    print("reach: 0.2 of bare Jinja2")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
