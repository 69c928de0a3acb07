"""Keeping the book: `backup`, `restore`, `db move`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gateway import bootstrap, config
from gateway.cli.options import confirm, say_json, with_config, with_dry_run, with_json, with_yes
from gateway.daemon import backup as backups
from gateway.daemon import lock
from gateway.errors import PermanentError
from gateway.folders import PartnerFolders

NUMBERS = 100


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--with-archive", is_flag=True, help="Copy the archived originals too, not only their hashes.")
@with_config
@with_json
def backup(folder: Path, with_archive: bool, config_path: str | None, as_json: bool) -> None:
    """Back up the book, settings and files in hand into a new folder, while the gateway runs, and check the copy.

    \b
    Example:  gateway backup /backups/2026-11-25 --with-archive
    """
    workspace = config.load(config_path)
    engine = bootstrap.open_book(workspace)
    places = workspace.settings.places
    try:
        what = backups.What(
            root=workspace.root,
            settings=(config.FILE_NAME, places.mappings, places.templates),
            folders=_folders(workspace),
            archive=workspace.var / "archive",
            copy_archive=with_archive,
        )
        made = backups.make(engine, folder, what, at=datetime.now(UTC))
    finally:
        engine.dispose()
    if as_json:
        say_json({"folder": str(folder), "rows": made["rows"], "files": len(made["files"]), "archive": len(made["archive"])})
    else:
        click.echo(
            f"{folder}: {sum(made['rows'].values())} rows, {len(made['files'])} files, hashes of {len(made['archive'])} archived files; checked."
        )


def _folders(workspace: config.Workspace) -> dict[str, PartnerFolders]:
    return {name: bootstrap.make_folders(workspace, profile) for name, profile in workspace.profiles.items()}


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--jump", default=NUMBERS, show_default=True, help="Control numbers to skip: some may have been used after the backup.")
@with_config
@with_dry_run
@with_yes
@with_json
def restore(folder: Path, jump: int, config_path: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Put a backup into the book of this workspace, which must be empty, and prove it. The gateway must not run.

    Returns imported and files taken after the backup are not in it: they are imported again, and archived files can be replayed.

    \b
    Example:  gateway restore /backups/2026-11-25 --dry-run
    """
    workspace = config.load(config_path)
    if dry_run:
        found = backups.check(folder)
        click.echo(f"{folder} is sound: made {found['made_at']}, {sum(found['rows'].values())} rows. Nothing was restored.")
        return
    confirm(f"Restore {folder} into {workspace.database_url.rpartition('@')[2]}?", yes=yes)
    with lock.locked(workspace.var, bootstrap.owner_name(workspace)):
        _set_aside(workspace)
        engine = bootstrap.connect_book(workspace)
        try:
            done = backups.restore(folder, engine, folders=_folders(workspace), archive=workspace.var / "archive", jump=jump)
        finally:
            engine.dispose()
    if as_json:
        say_json(done)
        return
    click.echo(
        f"Restored as of {done['made_at']}: {sum(t['rows'] for t in done['tables'].values())} rows, proven. Control numbers go on {jump} later."
    )
    if done["absent_from_archive"]:
        click.echo(
            f"{len(done['absent_from_archive'])} archived files are not here, first {done['absent_from_archive'][0]}; copy the archive back.",
            err=True,
        )


def _set_aside(workspace: config.Workspace) -> None:
    """A SQLite book that is there is kept beside the restored one, never overwritten."""
    if not workspace.database_url.startswith("sqlite"):
        return
    book = Path(workspace.database_url.removeprefix("sqlite:///"))
    if book.exists():
        aside = book.with_name(f"{book.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        book.rename(aside)
        for suffix in ("-wal", "-shm"):
            side = book.with_name(book.name + suffix)
            if side.exists():
                side.rename(aside.with_name(aside.name + suffix))
        click.echo(f"The book that was here is kept as {aside.name}.", err=True)


@click.group()
def db() -> None:
    """The database of the book.

    \b
    Example:  gateway db move --to postgresql+psycopg://gateway@db/gateway --json
    """


@db.command()
@click.option("--to", "url", required=True, help="The empty database to move into, like postgresql+psycopg://user@host/name.")
@with_config
@with_yes
@with_json
def move(url: str, config_path: str | None, yes: bool, as_json: bool) -> None:
    """Carry the book into another, empty database and prove it there: rows, contents, and the chain of seals. The gateway must not run.

    \b
    Example:  gateway db move --to postgresql+psycopg://gateway@db.example/gateway
    """
    from gateway.store import copying, database

    workspace = config.load(config_path)
    confirm(f"Copy the book from {workspace.database_url.rpartition('@')[2]} to {url.rpartition('@')[2]}?", yes=yes)
    if url == workspace.database_url:
        raise PermanentError("that is where the book is already")
    with lock.locked(workspace.var, bootstrap.owner_name(workspace)):
        source, target = bootstrap.open_book(workspace), database.connect(url)
        try:
            proven = copying.copy_book(source, target)
        finally:
            source.dispose()
            target.dispose()
    if as_json:
        say_json({name: {"rows": proof.rows, "digest": proof.digest} for name, proof in proven.items()})
        return
    click.echo(f"{sum(proof.rows for proof in proven.values())} rows in {len(proven)} tables are there, proven. The old book is untouched.")
    click.echo("Now set GATEWAY_DATABASE_URL (or database.url in gateway.toml) to the new address, and start the gateway.")
