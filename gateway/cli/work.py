"""Commands that do something: jobs by hand, and what people do with single files and receipts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

from gateway import bootstrap, config
from gateway.cli.options import actor, confirm, day, say_json, table, with_config, with_dry_run, with_json, with_yes
from gateway.daemon import lock, running
from gateway.jobs import SCHEDULED, actions
from gateway.jobs.actions import Prospect
from gateway.jobs.context import Context
from gateway.worker import run_alone


@contextmanager
def at_work(config_path: str | None) -> Iterator[tuple[Context, Callable[[], None]]]:
    """The gateway's surroundings, and a function that does what was queued unless a running service does it."""
    workspace = config.load(config_path)
    ctx = bootstrap.make_context(workspace, bootstrap.open_book(workspace))
    for folders in ctx.folders.values():
        folders.make()
    bootstrap.start_log(workspace, to_terminal=False)

    def work_off() -> None:
        owner = bootstrap.owner_name(workspace)
        with contextlib.suppress(lock.LockedError), lock.locked(workspace.var, owner):
            running.drain(ctx, owner=owner)

    try:
        yield ctx, work_off
    finally:
        ctx.engine.dispose()
        bootstrap.stop_log()


@click.command()
@click.argument("name", type=click.Choice(list(SCHEDULED)))
@click.option("--rma", help="Only this RMA (Loop jobs).")
@click.option("--order", help="Only this order, by name or id (Shopify jobs).")
@click.option("--from", "start", callback=day, help="Range: from this day (UTC).")
@click.option("--to", "end", callback=day, help="Range: to this day (UTC).")
@with_config
@with_json
def job(  # noqa: PLR0913, PLR0917 - one parameter for each option
    name: str, rma: str | None, order: str | None, start: datetime | None, end: datetime | None, config_path: str | None, as_json: bool
) -> int:
    """Run a job now, and what it causes. Exit code 2 when something failed.

    \b
    Example:  gateway job LoopImportReturnAuthorizations --rma 77000001
              gateway job ShopifyImportRefunds --from 2026-11-01 --to 2026-11-08
    """
    scope: dict[str, object] = {key: value for key, value in {"rma": rma, "order": order, "start": start, "end": end}.items() if value is not None}
    with at_work(config_path) as (ctx, work_off):
        owner = bootstrap.owner_name(config.load(config_path))
        try:
            tally = run_alone(ctx, name, owner=owner, scope=scope)
        except TypeError as fault:
            raise click.UsageError(f"{name} does not take {', '.join('--' + key for key in scope)}") from fault
        work_off()
    if as_json:
        say_json({"job": name, **tally.counts, "reasons": tally.reasons})
    else:
        click.echo(f"{name}: read {tally.read}, done {tally.done}, skipped {tally.skipped}, failed {tally.failed}")
        for reason in tally.reasons:
            click.echo(f"  {reason}")
    return 2 if tally.failed else 0


def show_prospect(prospect: Prospect, *, as_json: bool) -> None:
    """What would happen, in words or as JSON."""
    if as_json:
        say_json(actions.plain(prospect))
        return
    click.echo(f"{prospect.name}: would be {prospect.outcome}")
    for line in (*prospect.receipts, *prospect.remarks, *prospect.problems):
        click.echo(f"  {line}")
    if prospect.effects:
        click.echo(f"{len(prospect.effects)} new effect(s):")
        for line in prospect.effects:
            click.echo(f"  {line}")
    else:
        click.echo("0 new effects" + (": all already applied" if prospect.outcome == "duplicate" else ""))


@click.command()
@click.argument("ra", required=False)
@click.option("--partner", help="All documents sent to this partner …")
@click.option("--since", "--from", "since", callback=day, help="… since this day (UTC); `yesterday` is understood …")
@click.option("--to", "until", callback=day, help="… and before this one.")
@with_dry_run
@with_yes
@with_config
@with_json
def resend(  # noqa: PLR0913, PLR0917 - one parameter for each option
    ra: str | None,
    partner: str | None,
    since: datetime | None,
    until: datetime | None,
    dry_run: bool,
    yes: bool,
    config_path: str | None,
    as_json: bool,
) -> int:
    """Send the document of an RA again, or all of a partner of a range of time: the same bytes under a new name.

    \b
    Example:  gateway resend RA77000001
              gateway resend --partner ATLAS --since yesterday --yes
              gateway resend --partner ATLAS --from 2026-11-01 --to 2026-11-03 --dry-run
    """
    if bool(ra) == bool(partner):
        raise click.UsageError("name an RA, or --partner with --since")
    with at_work(config_path) as (ctx, work_off):
        chosen = actions.find_resendable(ctx, ra=ra, partner=partner, since=since, until=until)
        names = [f.name for f in chosen]
        if not dry_run and chosen:
            confirm(f"Send {len(chosen)} file(s) again: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}?", yes=yes)
            names = actions.resend(ctx, chosen=chosen, actor=actor())
            work_off()
    if as_json:
        say_json({"count": len(names), "files": names, "dry_run": dry_run})
    else:
        click.echo(f"{len(names)} file(s) {'would be ' if dry_run else ''}sent again: {', '.join(names) or 'nothing was sent before'}")
    return 0 if names else 1


@click.command()
@click.argument("receipt_id", type=int)
@click.argument("ra", required=False)
@with_yes
@with_config
@with_json
def attach(receipt_id: int, ra: str | None, yes: bool, config_path: str | None, as_json: bool) -> int:
    """Bring an unmatched receipt (its number in `gateway export --kind receipts`) to an RA; it then follows the normal path.

    Without an RA it lists the ones that may be meant, each with its evidence.

    \b
    Example:  gateway attach 12
              gateway attach 12 RA77000004
    """
    with at_work(config_path) as (ctx, work_off):
        if ra is None:
            found: list[dict[str, Any]] = [
                {"ra": c.ra, "rma": c.rma, "score": c.score, "evidence": list(c.evidence)} for c in actions.candidates(ctx, receipt_id=receipt_id)
            ]
            if as_json:
                say_json(found)
            else:
                table(["RA", "RMA", "score", "evidence"], [[str(c["ra"]), str(c["rma"]), str(c["score"]), "; ".join(c["evidence"])] for c in found])
            return 0 if found else 1
        confirm(f"Attach receipt {receipt_id} to {ra}?", yes=yes)
        actions.attach(ctx, receipt_id=receipt_id, ra=ra, actor=actor())
        work_off()
    say_json({"receipt": receipt_id, "ra": ra}) if as_json else click.echo(f"Receipt {receipt_id} belongs to {ra} now.")
    return 0
