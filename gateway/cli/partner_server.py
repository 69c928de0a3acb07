"""`gateway partner test-connection` and `sync`: a partner's SFTP server, tried and used by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from gateway import bootstrap, config
from gateway.cli.options import say_json, with_config, with_json
from gateway.cli.partner_look import find_profile
from gateway.errors import GatewayError
from gateway.mapping.exchange_parts import Sftp

BIG = 1_000_000  # bytes; a smaller file is there before its bar is drawn


def _server(profile_name: str, part: Sftp | None) -> Sftp:
    if part is None:
        raise click.UsageError(f"{profile_name} has no [sftp] in its profile: its folders are kept by other means")
    return part


@click.command("test-connection")
@click.argument("partner")
@with_config
@with_json
def test_connection(partner: str, config_path: str | None, as_json: bool) -> int:
    """Try a partner's SFTP server step by step: reach it, its host key, the log-in, its folders. Nothing is written there.

    The host key is shown as it is to be pinned (`host_key` in [sftp]); compare it with what the partner tells you on another way. Exit code 1 when a
    step fails.

    \b
    Example:  gateway partner test-connection ATLAS
    """
    workspace = config.load(config_path)
    profile = find_profile(workspace, partner)
    part = _server(profile.partner, profile.sftp)
    steps: list[dict[str, Any]] = []
    try:
        for name, said in _try(workspace, part, profile.partner):
            steps.append({"step": name, "ok": True, "said": said})
    except GatewayError as error:
        steps.append({"step": "stopped", "ok": False, "said": error.message})
    if as_json:
        say_json({"partner": profile.partner, "ok": all(step["ok"] for step in steps), "steps": steps})
    else:
        for step in steps:
            click.echo(f"{'ok' if step['ok'] else 'FAILED':<7}{step['step']:<11}{step['said']}", err=not step["ok"])
    return 0 if all(step["ok"] for step in steps) else 1


def _try(workspace: config.Workspace, part: Sftp, partner: str) -> Iterator[tuple[str, str]]:
    from gateway.clients import sftp
    from gateway.clients.sftp import Refused, ServerRefusesError

    address = bootstrap.make_address(workspace, workspace.profiles[partner])
    found, public = sftp.look_at_key(address)
    yield "reached", address.name
    yield "host key", f'host_key = "{found}"   (or "{public}")'
    link = sftp.connect(address)
    try:
        yield "logged in", f"as {part.user}, {len(link.channels)} channel(s)"
        for folder in dict.fromkeys([*part.incoming.values(), *part.outgoing.values(), *filter(None, [part.taken_folder])]):
            listed = link.channels[0].list_files(folder)
            if isinstance(listed, Refused):
                raise ServerRefusesError(f"the folder {folder} cannot be listed: {listed.why}")
            yield "folder", f"{folder}: {len(listed)} file(s)"
    finally:
        link.close()


@click.command()
@click.argument("partner")
@with_config
@with_json
def sync(partner: str, config_path: str | None, as_json: bool) -> int:
    """Carry a partner's files to and from its server now, whether the service runs or not; shows how far each big file is.

    What comes lies in the inbox afterwards; the service, or `gateway run-once`, takes it from there. Exit code 2 when a file was refused.

    \b
    Example:  gateway partner sync ATLAS
    """
    from gateway.jobs.carrying import Sync

    workspace = config.load(config_path)
    profile = find_profile(workspace, partner)
    _server(profile.partner, profile.sftp)
    ctx = bootstrap.make_context(workspace, bootstrap.open_book(workspace))
    ctx.folders[profile.partner].make()
    bootstrap.start_log(workspace, to_terminal=False)
    with _progress(shown=not as_json) as progress:
        state = Sync(ctx=ctx, partner=profile.partner, owner=f"{bootstrap.owner_name(workspace)}/sync", progress=progress)
        try:
            done, reasons = _passes(state)
        finally:
            state.close()
            ctx.engine.dispose()
    if as_json:
        say_json({"partner": profile.partner, "carried": done, "reasons": reasons})
    else:
        click.echo(f"{profile.partner}: {done} file(s) carried")
        for reason in reasons:
            click.echo(f"  {reason}")
    return 2 if reasons else 0


def _passes(state: Any) -> tuple[int, list[str]]:
    """Passes until nothing on the server settles any more."""
    import time

    from gateway.jobs.sync import sync_partner

    done = 0
    while True:
        tally = sync_partner(state)
        done += tally.done
        if not state.settling:
            return done, tally.reasons
        time.sleep(0.2)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each file of some size, on a terminal; nothing elsewhere."""
    if not shown or not sys.stderr.isatty():
        yield lambda _name, _done, _size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bars: dict[str, Any] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:

        def told(name: str, done: int, size: int) -> None:
            if size >= BIG and name not in bars:
                bars[name] = drawn.add_task(name, total=size)
            if name in bars:
                drawn.update(bars[name], completed=done)

        yield told
