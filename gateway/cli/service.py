"""`run` and `run-once`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import click

from gateway import bootstrap, config
from gateway.cli.options import say_json, table, with_config, with_json
from gateway.daemon import lock, loops, running
from gateway.daemon.holding import Holding
from gateway.jobs.context import Context

LOCKED = 3


JOBS = {
    "LoopImportReturnAuthorizations": "import_returns",
    "TransmitReturnAuthorizations": "import_returns",
    "LoopExportReturnReceipts": "export_receipts",
    "ShopifyImportRefunds": "import_refunds",
    "ShopifyImportOrders": "import_orders",
    "ShopifyExportInventory": "export_inventory",
    "LoopCompareReturns": "compare_returns",
    "CompareStock": "compare_stock",
    "ExportToErp": "export_to_erp",
    "Upkeep": "upkeep",
    "TellPeople": "tell",
    "DailyRecap": "tell",
    "Purge": "purge",
}


def _serve(workspace: config.Workspace, ctx: Context) -> Callable[[threading.Event], None] | None:
    """Pages, health, metrics and webhooks where the settings want them."""
    part = workspace.settings.service
    if part.listen in ("", "off") and part.webhook_listen in ("", "off"):
        return None
    from gateway.cli.pages import make_desk
    from gateway.web import serving

    desk = make_desk(workspace, ctx)
    return lambda stopping: serving.serve(desk, pages=part.listen, webhooks=part.webhook_listen, stopping=stopping)


@click.command()
@with_config
def run(config_path: str | None) -> int:
    """Run in the foreground until stopped (Ctrl-C or SIGTERM finishes the document in hand).

    \b
    Example:  gateway run --config /srv/returns/gateway.toml
    """
    workspace = config.load(config_path)
    stopping = threading.Event()
    running.stop_on_signals(stopping)
    try:
        with _started(workspace, stopping, to_terminal=True) as (ctx, owner, tell_ready):
            running.run(_service(workspace, ctx, owner, stopping), tell_ready, serve=_serve(workspace, ctx))
    except lock.LockedError as error:
        click.echo(f"gateway: {error.message}", err=True)
        return LOCKED
    return 0


@contextmanager
def _started(workspace: config.Workspace, stopping: threading.Event, *, to_terminal: bool) -> Iterator[tuple[Context, str, Callable[[bool], None]]]:
    """A locked data folder, an open book, and what a killed process left taken back."""
    bootstrap.require_keys(workspace)
    owner = bootstrap.owner_name(workspace)
    with lock.locked(workspace.var, owner, slots=bootstrap.instances(workspace)) as tell_ready:
        bootstrap.start_log(workspace, to_terminal=to_terminal)
        ctx = bootstrap.make_context(workspace, bootstrap.open_book(workspace), sleep=running.sleeper(stopping))
        bootstrap.take_back(workspace, ctx, living=[card["owner"] for card in lock.living(workspace.var) if card])
        loops.make_folders(ctx)
        try:
            yield ctx, owner, tell_ready
        finally:
            ctx.engine.dispose()


def _service(workspace: config.Workspace, ctx: Context, owner: str, stopping: threading.Event) -> loops.Service:
    p, part = workspace.settings.periods, workspace.settings.service
    return loops.Service(
        ctx=ctx,
        owner=owner,
        periods={job: getattr(p, key) for job, key in JOBS.items()},
        crons={job: cron for job, key in JOBS.items() if (cron := getattr(workspace.settings.schedule, key))},
        zone=ZoneInfo(workspace.settings.merchant.time_zone),
        scan_seconds=p.scan,
        workers=part.workers,
        lease_seconds=p.lease,
        holding=Holding(ctx=ctx, owner=owner, seconds=p.lease, names=part.partners or tuple(ctx.folders)),
        stopping=stopping,
    )


@click.command("run-once")
@with_config
@with_json
def run_once(config_path: str | None, as_json: bool) -> int:
    """One pass of every job: files in, returns in, decisions out, refunds, orders, inventory. Exit code 2 when something failed.

    \b
    Example:  gateway run-once --json
    """
    workspace = config.load(config_path)
    stopping = threading.Event()
    running.stop_on_signals(stopping)
    try:
        with _started(workspace, stopping, to_terminal=False) as (ctx, owner, _):
            ran = running.run_once(ctx, owner=owner, stopping=stopping, lease_seconds=workspace.settings.periods.lease)
    except lock.LockedError as error:
        click.echo(f"gateway: {error.message}", err=True)
        return LOCKED
    if as_json:
        say_json([{"job": name, **tally.counts, "reasons": tally.reasons} for name, tally in ran])
    else:
        table(["job", "read", "done", "skipped", "failed"], [[name, *map(str, tally.counts.values())] for name, tally in ran])
        for name, tally in ran:
            for reason in tally.reasons[-tally.failed :] if tally.failed else []:
                click.echo(f"{name}: {reason}", err=True)
    return 2 if any(tally.failed for _, tally in ran) else 0
