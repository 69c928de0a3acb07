"""The sample files of a partner's checklist, made as the partner would make them (R-162)."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gateway.mapping.profiles import Profile
from gateway.simulator.partner_files import Envelope, Line, make_944, make_csv_receipt

UNKNOWN_RA = "RA00000000"


def make_samples(profile: Profile, *, skus: Sequence[str], ra: str) -> dict[str, bytes]:
    """A file for each case that a partner sends; changes and cancels are sent by us. The RA is taken to hold two of one item and one of another."""
    if len(skus) < 3:
        raise click.UsageError("items.csv needs three items for the samples")
    first, second, other = skus[:3]
    both = [Line(first, good=2), Line(second, good=1)]
    cases: dict[str, tuple[str, list[Line]]] = {
        "good": (ra, both),
        "damaged": (ra, [Line(first, good=1, second=1), Line(second, good=1)]),
        "short": (ra, [Line(first, good=1)]),
        "over": (ra, [Line(first, good=3), Line(second, good=1)]),
        "wrong-item": (ra, [Line(first, good=2), Line(other, good=1)]),
        "unknown-ra": (UNKNOWN_RA, both),
        "duplicate": (ra, both),
        "malformed": (ra, [Line(first, quantity="TWO")]),
    }
    made = {case: _file(profile, *said, number=1 if case == "duplicate" else at) for at, (case, said) in enumerate(cases.items(), start=1)}
    made["duplicate"] = made["good"]
    suffix = "edi" if profile.receive.x12_receipt else "csv"
    return {f"{profile.partner}_{case}.{suffix}": content for case, content in made.items()}


def _file(profile: Profile, ra: str, lines: list[Line], *, number: int) -> bytes:
    receipt = f"SAMPLE{number:02d}"
    if profile.receive.x12_receipt and profile.x12:
        on_top = profile.receive.x12_receipt.damaged_quantity == "on_top"
        parties = Envelope(sender=profile.x12.partner_id, receiver=profile.x12.our_id, version=profile.x12.version, usage="T", number=number)
        return make_944(ra, lines, envelope=parties, receipt_no=receipt, final=True, on_top=on_top)
    if profile.receive.csv_receipt:
        return make_csv_receipt(ra, lines, receipt_no=receipt, delimiter=profile.receive.csv_receipt.delimiter or ",")
    raise click.UsageError(f"samples are made for X12 944 and CSV receipts; {profile.partner} sends neither")
