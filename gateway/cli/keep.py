"""Commands about what is kept: `purge`, `forget`, `bundle`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.options import actor, confirm, say_json, with_config, with_dry_run, with_json, with_yes


@click.command()
@with_dry_run
@with_yes
@with_config
@with_json
def purge(dry_run: bool, yes: bool, config_path: str | None, as_json: bool) -> int:
    """Let go of what is finished and older than [retention] says: files 180 days, records 2 years, by default. Nothing that is open goes.

    The service does this once a day by itself. Numbers, hashes, amounts and the audit chain stay, so that nothing can happen twice.

    \b
    Example:  gateway purge --dry-run
    """
    from gateway.cli.work import at_work
    from gateway.jobs import keeping
    from gateway.worker import run_job

    with at_work(config_path) as (ctx, _):
        found = keeping.purge(ctx, dry_run=True)
        if not dry_run and found.done:
            confirm(f"Let go of {', '.join(found.reasons)}?", yes=yes)
            found = run_job(ctx, "Purge")
    if as_json:
        say_json({"dry_run": dry_run, "count": found.done, "kinds": found.reasons})
    else:
        click.echo(f"{'Would go' if dry_run else 'Gone'}: {', '.join(found.reasons) or 'nothing'}")
    return 2 if found.failed else 0


@click.command()
@click.option("--order", help="Everything personal in the returns of this order (name or id).")
@click.option("--email", "emails", multiple=True, help="This mail address, wherever it stands.")
@click.option("--name", "names", multiple=True, help="This name, street or other text, wherever it stands; may be given several times.")
@with_dry_run
@with_yes
@with_config
@with_json
def forget(  # noqa: PLR0913, PLR0917 - one parameter for each option
    order: str | None, emails: tuple[str, ...], names: tuple[str, ...], dry_run: bool, yes: bool, config_path: str | None, as_json: bool
) -> int:
    """Remove a person's data on request: from the book, kept files, the archive, and the database's free pages. Totals and the audit chain stay valid.

    Backups made before still have it: let them run out or make new ones. A return that is still open is refused.

    \b
    Example:  gateway forget --order "#1001" --email jane@example.com --name "Jane Doe" --dry-run
    """
    from gateway.cli.work import at_work
    from gateway.jobs import keeping

    terms = [*emails, *names]
    if not order and not terms:
        raise click.UsageError("say whose data: --order, --email or --name")
    with at_work(config_path) as (ctx, _):
        counts = keeping.forget(ctx, order=order, terms=terms, actor=actor(), dry_run=True)
        told = f"{counts['rows']} row(s), {counts['events']} event(s), {counts['files']} file(s)"
        if not dry_run:
            confirm(f"Remove it from {told}? This cannot be undone.", yes=yes)
            counts = keeping.forget(ctx, order=order, terms=terms, actor=actor())
    if as_json:
        say_json({"dry_run": dry_run, **counts})
    else:
        click.echo(f"{'Would be removed' if dry_run else 'Removed'} from {told}.")
        if not dry_run:
            click.echo("Backups made before still have it: let them run out, or make a new one and delete them.")
    return 0


@click.command()
@click.argument("rma")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The archive to write (default: RMA.zip here).")
@with_config
@with_json
def bundle(rma: str, out: Path | None, config_path: str | None, as_json: bool) -> int:
    """Everything about one return in one archive: documents, timeline, decision, calls; personal data masked, the same bytes every time.

    \b
    Example:  gateway bundle 77000003 --out case.zip
    """
    import hashlib

    from gateway import bootstrap, config
    from gateway.cli.book import reading_book
    from gateway.views import bundles, cases

    workspace = config.load(config_path)
    folders = {name: bootstrap.make_folders(workspace, profile) for name, profile in workspace.profiles.items()}
    with reading_book(config_path) as connection:
        number = cases.rma_of(connection, rma)
        content = bundles.bundle(connection, number, folders, workspace.profiles)
    target = out or Path(f"{number}.zip")
    target.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    if as_json:
        say_json({"rma": number, "file": str(target), "size": len(content), "sha256": digest})
    else:
        click.echo(f"{target}: {len(content)} bytes, sha256 {digest}")
    return 0
