"""`gateway partner list` and `show`."""

from __future__ import annotations

from typing import Any

import click

from gateway import bootstrap, config
from gateway.cli.options import say_json, table, with_config, with_json
from gateway.mapping.profiles import Profile


def find_profile(workspace: config.Workspace, name: str) -> Profile:
    """A partner by its name, in any case."""
    found = workspace.profiles.get(name.upper())
    if found is None:
        raise click.UsageError(f"no partner {name}; known: {', '.join(workspace.profiles) or 'none'}. `gateway partner add` makes one")
    return found


def _brief(profile: Profile) -> dict[str, Any]:
    receives = [*profile.receive.x12, *(["RECADV"] if profile.receive.recadv else []), *profile.receive.flat]
    server = f"{profile.sftp.user}@{profile.sftp.host}:{profile.sftp.port}" if profile.sftp else ""
    return {
        "partner": profile.partner,
        "name": profile.name,
        "stage": profile.stage,
        "sends": receives,
        "gets": profile.send.document,
        "server": server,
    }


@click.command("list")
@with_config
@with_json
def list_(config_path: str | None, as_json: bool) -> int:
    """Every partner: its stage, what it sends us and gets from us, and its server.

    \b
    Example:  gateway partner list
    """
    rows = [_brief(profile) for profile in config.load(config_path).profiles.values()]
    if as_json:
        say_json(rows)
    else:
        table(
            ["partner", "name", "stage", "sends us", "gets", "server"],
            [[", ".join(v) if isinstance(v, list) else v for v in row.values()] for row in rows],
        )
    return 0


@click.command()
@click.argument("partner")
@with_config
@with_json
def show(partner: str, config_path: str | None, as_json: bool) -> int:
    """One partner: identifiers, documents, folders, server, and what lies where.

    \b
    Example:  gateway partner show ATLAS
    """
    workspace = config.load(config_path)
    profile = find_profile(workspace, partner)
    folders = bootstrap.make_folders(workspace, profile)
    paths = {
        "inbox": folders.inboxes["production"],
        "outbox": folders.outboxes["production"],
        "error": folders.error,
        "quarantine": folders.quarantine,
    }
    lying = {name: sum(p.is_file() and not p.name.startswith(".") for p in path.iterdir()) if path.is_dir() else None for name, path in paths.items()}
    facts = _brief(profile) | {
        "identifiers": profile.x12.model_dump(include={"partner_id", "our_id", "version", "usage"}) if profile.x12 else {},
        "folders": {name: {"path": str(path), "files": lying[name]} for name, path in paths.items()},
        "warehouses": [w.code for w in workspace.settings.warehouses if w.partner == profile.partner],
        "carried": _carried(workspace, profile.partner),
    }
    if as_json:
        say_json(facts)
        return 0
    for name, value in facts.items():
        if name == "folders":
            for kind, folder in facts["folders"].items():
                held = "is not there" if folder["files"] is None else f"{folder['files']} file(s)"
                click.echo(f"{kind:<12} {folder['path']}: {held}")
        elif value:
            click.echo(f"{name:<12} {_words(value)}")
    return 0


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _carried(workspace: config.Workspace, partner: str) -> dict[str, int]:
    """How many files went to and came from the server, by state."""
    from gateway.store import database, remote

    engine = bootstrap.open_book(workspace)
    try:
        with database.reading(engine) as connection:
            return remote.count(connection, partner=partner)
    finally:
        engine.dispose()
