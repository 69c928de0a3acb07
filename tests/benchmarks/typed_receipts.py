"""How fast a file of 944s becomes typed receipts, against a bare split of the same file in the same run.

Run it as `python tests/benchmarks/typed_receipts.py [megabytes] [--memory]`. A receipt is a set read, checked, taken through the partner's profile and the item catalogue.
Two files: one whose lines name 400,000 items, so that hardly any comes twice, and one of 3,000, as a shop has them.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway.domain.items import Catalogue, Item
from gateway.edi import x12
from gateway.mapping import inbound
from gateway.mapping.profiles import read_profile
from tests.benchmarks import measuring
from tests.benchmarks.x12_receipts import bare_split, check, make

PROFILE = read_profile(
    'partner = "JUNIPER"\nname = "Juniper"\n[x12]\npartner_id = "JUNIPER3PL"\nour_id = "ACMESHOES"\n[receive.x12_receipt]\ndamaged_quantity = "included"\n',
    source="benchmark",
)
CATALOGUE = Catalogue.of(
    [Item(sku=f"SHOE-{n:05d}-{size}", upc=f"61414{n * 4 + size - 36:07d}") for n in range(0, 99991, 997) for size in range(36, 40)]
)


def receive(chunks: Iterable[bytes]) -> int:
    """Typed receipts; the sum of their lines."""
    sets = (event for event in x12.read_sets(chunks) if isinstance(event, x12.TransactionSet))
    found = (inbound.to_receipt(one, profile=PROFILE, catalogue=CATALOGUE).receipt for one in sets)
    return sum(line.good for receipt in found if receipt for line in receipt.lines)


def main(megabytes: float) -> None:
    """Measure all in turn, and print the ratios."""
    for items in (99991, 750):
        chunks = list(make(megabytes, items))
        size = sum(map(len, chunks)) / 1e6
        works = {name: partial(work, chunks) for name, work in (("bare split", bare_split), ("checked sets", check), ("typed receipts", receive))}
        print(f"{size:.1f} MB, lines of {4 * items} items")
        measuring.show(measuring.in_turn(works, rounds=max(3, round(40 / megabytes))), size)
    print("reach: typed receipts at 0.3 of the bare split")
    print(f"peak memory of the process, with the file held: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def main_memory(megabytes: float) -> None:
    """Peak memory above the loaded interpreter, with the file made and read block by block."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    receive(make(megabytes))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{megabytes:.0f} MB: peak {peak / 1024:.1f} MB, {(peak - before) / 1024:.1f} MB above the loaded interpreter (reach: 40)")


if __name__ == "__main__":
    sizes = [float(each) for each in sys.argv[1:] if each != "--memory"] or [25.0]
    (main_memory if "--memory" in sys.argv else main)(sizes[0])
