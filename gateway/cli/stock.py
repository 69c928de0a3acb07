"""`correct-stock` and `tie-out`: the stock ledger by hand, and what a period comes to."""

from __future__ import annotations

from datetime import datetime

import click

from gateway.cli.options import actor, confirm, day, say_json, table, with_config, with_dry_run, with_json, with_yes


@click.command()
@click.argument("warehouse")
@click.argument("sku")
@click.argument("quantity", type=int)
@click.option("--reason", required=True, help="Why.")
@click.option("--reference", default="", help="What it rests on (a count sheet); the same reference is entered once.")
@with_dry_run
@with_yes
@with_config
@with_json
def correct_stock(  # noqa: PLR0913, PLR0917 - one parameter for each option
    warehouse: str, sku: str, quantity: int, reason: str, reference: str, dry_run: bool, yes: bool, config_path: str | None, as_json: bool
) -> int:
    """Enter a stock correction as a new movement: QUANTITY units in, or out when negative (write `--` before a negative one).

    \b
    Example:  gateway correct-stock NJ1 TEE-BLK-M 1 --reason "found in cycle count" --yes
              gateway correct-stock --reason "lost" --yes -- NJ1 TEE-BLK-M -1
    """
    from gateway import bootstrap, config
    from gateway.jobs import stock
    from gateway.store import database, ledger

    workspace = config.load(config_path)
    ctx = bootstrap.make_context(workspace, bootstrap.open_book(workspace))
    try:
        with database.reading(ctx.engine) as connection:
            before = ledger.balance(connection, warehouse, sku)
        if dry_run:
            said = {"warehouse": warehouse, "sku": sku, "before": before, "after": before + quantity, "dry_run": True}
        else:
            confirm(f"Correct {sku} in {warehouse} by {quantity:+d} (from {before} to {before + quantity})?", yes=yes)
            facts = {"warehouse": warehouse, "sku": sku, "reason": reason, "reference": reference, "actor": actor()}
            after = stock.correct_stock(ctx, quantity=quantity, **facts)
            said = {"warehouse": warehouse, "sku": sku, "before": before, "after": after, "dry_run": False}
    finally:
        ctx.engine.dispose()
    words = f"{sku} in {warehouse}: {said['before']} → {said['after']}" + (" (nothing was entered)" if dry_run else "")
    say_json(said) if as_json else click.echo(words)
    return 0


@click.command()
@click.option("--from", "start", callback=day, required=True, help="From this day (UTC).")
@click.option("--to", "end", callback=day, required=True, help="To this day (UTC), not included.")
@with_config
@with_json
def tie_out(start: datetime, end: datetime, config_path: str | None, as_json: bool) -> int:
    """What a period comes to in Loop, receipts, refunds, credits, stock and exchange orders, with every difference. Exit code 2 when there are any.

    \b
    Example:  gateway tie-out --from 2026-11-01 --to 2026-12-01
    """
    from gateway import bootstrap, config
    from gateway.store import database
    from gateway.views import tieout

    workspace = config.load(config_path)
    engine = bootstrap.open_book(workspace)
    with database.reading(engine) as connection:
        found = tieout.period(connection, start=start, end=end, most_bonus=workspace.settings.merchant.bonus_credit)
    engine.dispose()
    if as_json:
        say_json(found)
    else:
        rows = [[part, " ".join(where), str(value)] for part in PARTS for where, value in _flat(found[part])]
        table(["part", "what", "figure"], rows)
        for row in found["differences"]:
            click.echo(f"! {row['kind']}: {row['text']}")
        if not found["differences"]:
            click.echo("No differences.")
    return 2 if found["differences"] else 0


PARTS = ("loop", "receipts", "refunds", "credits", "stock", "orders")


def _flat(found: dict[str, object], *above: str) -> list[tuple[tuple[str, ...], object]]:
    rows: list[tuple[tuple[str, ...], object]] = []
    for name, value in found.items():
        here = (*above, name.replace("_", " "))
        rows += _flat(value, *here) if isinstance(value, dict) else [(here, value)]
    return rows
