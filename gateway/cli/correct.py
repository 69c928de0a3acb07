"""`correct` and `detach`: a receipt put right by a person."""

from __future__ import annotations

import click

from gateway.cli.options import actor, confirm, say_json, with_config, with_dry_run, with_json, with_yes
from gateway.cli.work import at_work


@click.command()
@click.argument("receipt_id", type=int)
@click.argument("counts", nargs=-1, metavar="[SKU=GOOD[,SECOND]]...")
@click.option("--reverse", is_flag=True, help="Only take it back; nothing is entered in its place.")
@click.option("--accept", is_flag=True, help="Let a held later version take the place of the one that counts.")
@click.option("--reason", required=True, help="Why.")
@with_dry_run
@with_yes
@with_config
@with_json
def correct(  # noqa: PLR0913, PLR0917 - one parameter for each option
    receipt_id: int,
    counts: tuple[str, ...],
    reverse: bool,
    accept: bool,
    reason: str,
    dry_run: bool,
    yes: bool,
    config_path: str | None,
    as_json: bool,
) -> int:
    """Correct a receipt (its number in `gateway export --kind receipts`): take it back and enter it again with what really came.

    What was not decided yet is decided by the new counts; Loop is never called a second time.

    \b
    Example:  gateway correct 12 TEE-BLK-M=1 HOOD-GRY-M=1,1 --reason "counted again"
              gateway correct 12 --reverse --reason "belongs to another shop"
              gateway correct 15 --accept --reason "the warehouse confirms the later one"
    """
    from gateway.jobs import corrections
    from gateway.jobs.corrections import Count

    if [bool(counts), reverse, accept].count(True) != 1:
        raise click.UsageError("give the counts (SKU=GOOD or SKU=GOOD,SECOND), or --reverse, or --accept")
    entered = {sku: Count(good=good, second=second) for sku, good, second in map(_count, counts)} or None
    with at_work(config_path) as (ctx, work_off):
        if not dry_run:
            confirm(f"Correct receipt {receipt_id}?", yes=yes)
        if accept:
            said = corrections.accept(ctx, receipt_id=receipt_id, actor=actor(), reason=reason, dry_run=dry_run)
        else:
            said = corrections.correct(ctx, receipt_id=receipt_id, counts=entered, actor=actor(), reason=reason, dry_run=dry_run)
        if not dry_run:
            work_off()
    say_json({"receipt": receipt_id, "said": said, "dry_run": dry_run}) if as_json else click.echo(said)
    return 0


def _count(text: str) -> tuple[str, int, int]:
    sku, _, numbers = text.partition("=")
    good, _, second = numbers.partition(",")
    if not sku or not good.isdecimal() or not (second or "0").isdecimal():
        raise click.UsageError(f"{text!r} is no count; write SKU=GOOD or SKU=GOOD,SECOND, for instance TEE-BLK-M=2,1")
    return sku, int(good), int(second or 0)


@click.command()
@click.argument("receipt_id", type=int)
@click.option("--reason", required=True, help="Why.")
@with_yes
@with_config
@with_json
def detach(receipt_id: int, reason: str, yes: bool, config_path: str | None, as_json: bool) -> int:
    """Take a receipt off the RA it was attached to; it is unmatched again.

    \b
    Example:  gateway detach 12 --reason "another parcel"
    """
    from gateway.jobs import corrections

    with at_work(config_path) as (ctx, work_off):
        confirm(f"Take receipt {receipt_id} off its RA?", yes=yes)
        said = corrections.detach(ctx, receipt_id=receipt_id, actor=actor(), reason=reason)
        work_off()
    say_json({"receipt": receipt_id, "said": said}) if as_json else click.echo(said)
    return 0
