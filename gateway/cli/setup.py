"""Setting up: `init`, `check-config`."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from gateway import bootstrap, config
from gateway.cli import trying
from gateway.cli.options import say_json, with_config, with_json
from gateway.errors import GatewayError


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@with_json
def init(folder: Path, as_json: bool) -> int:
    """Make a workspace: gateway.toml, mappings/, templates/, inbox/, outbox/. Nothing that is there is overwritten.

    \b
    Example:  gateway init my-returns
    """
    made = make_workspace(folder)
    if as_json:
        say_json({"workspace": str(folder.resolve()), "made": made})
    else:
        click.echo(f"{folder}: {len(made)} file(s) made. Next: edit {folder / 'gateway.toml'}, then `gateway check-config --config {folder}`")
    return 0


def make_workspace(folder: Path) -> list[str]:
    """Copy the example settings, profiles, items and templates into a folder; what is there stays."""
    made = []
    for kind in ("mappings", "templates"):
        for source in sorted(bootstrap.default_folders(kind)[0].iterdir()):
            target = folder / kind / source.name
            if source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                made.append(f"{kind}/{source.name}")
    settings = folder / config.FILE_NAME
    if not settings.exists():
        shutil.copyfile(bootstrap.default_settings(), settings)
        made.append(config.FILE_NAME)
    for name in ("inbox", "outbox", "var"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return made


@click.command("check-config")
@click.option("--connect", is_flag=True, help="Also try the keys of Loop and Shopify, and tell a wrong key from a missing scope.")
@with_config
@with_json
def check_config(connect: bool, config_path: str | None, as_json: bool) -> int:
    """Check gateway.toml, every profile, the items and the templates as a whole. Exit code 1 names file, line and remedy.

    Each partner's document is made once for a sample RA and read back; each case in mappings/PARTNER.cases/ is read and compared with its expected.json.

    \b
    Example:  gateway check-config --connect
    """
    faults: list[str] = []
    told: list[str] = []
    try:
        workspace = config.load(config_path)
        faults += _check_templates(workspace)
        told.append(
            f"{len(workspace.profiles)} partner(s), {len(workspace.settings.warehouses)} warehouse(s), {len(workspace.catalogue.by_sku)} item(s)"
        )
        faults += [] if faults else trying.try_documents(workspace)
        faults += trying.try_cases(workspace, told)
        if connect:
            bootstrap.require_keys(workspace)
            faults += _connect(workspace, told)
    except GatewayError as error:
        faults.append(error.message)
    if as_json:
        say_json({"ok": not faults, "faults": faults, "told": told})
    else:
        for text in told:
            click.echo(text)
        for fault in faults:
            click.echo(fault, err=True)
        click.echo("The configuration cannot be used." if faults else "The configuration is in order.", err=bool(faults))
    return 1 if faults else 0


def _check_templates(workspace: config.Workspace) -> list[str]:
    """Every template a profile names is there and can be parsed."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    read, faults = bootstrap.template_reader(workspace), []
    for profile in workspace.profiles.values():
        try:
            ImmutableSandboxedEnvironment().parse(read(profile.send.template))
        except TemplateError as fault:
            faults.append(f"templates/{profile.send.template}, line {getattr(fault, 'lineno', '?')}: {fault}")
        except GatewayError as error:
            faults.append(f"mappings of {profile.partner}: send.template: {error.message}")
    return faults


def _connect(workspace: config.Workspace, told: list[str]) -> list[str]:
    """Try both services (R-031)."""
    faults = []
    for name, check in (("Loop", bootstrap.make_loop(workspace).check_access), ("Shopify", bootstrap.make_shopify(workspace).check_access)):
        try:
            check()
            told.append(f"{name}: the key works")
        except GatewayError as error:
            faults.append(f"{name}: {error.message}")
    return faults
