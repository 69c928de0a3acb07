"""`gateway partner checklist`, `waive` and `stage`: from testing to live (R-161)."""

from __future__ import annotations

import re
from pathlib import Path

import click

from gateway import config
from gateway.cli.book import reading_book
from gateway.cli.options import actor, confirm, say_json, table, with_config, with_json, with_yes
from gateway.cli.partner_look import find_profile
from gateway.cli.work import at_work
from gateway.views import rehearsals


@click.command()
@click.argument("partner")
@with_config
@with_json
def checklist(partner: str, config_path: str | None, as_json: bool) -> int:
    """What a partner has shown in testing, and what it must still show before it goes live. Exit code 2 while a case is open.

    \b
    Example:  gateway partner checklist ATLAS
    """
    with reading_book(config_path) as connection:
        checks = rehearsals.checklist(connection, partner=partner.upper())
    if as_json:
        names = ("case", "what", "shown_by", "shown_at", "waived", "done")
        say_json([{name: getattr(check, name) for name in names} for check in checks])
    else:
        rows = [
            [check.case, "done" if check.shown_by else "waived" if check.waived else "open", check.shown_by or check.waived or check.what]
            for check in checks
        ]
        table(["case", "state", "by"], rows)
    return 0 if all(check.done for check in checks) else 2


@click.command()
@click.argument("partner")
@click.argument("case", type=click.Choice(list(rehearsals.CASES)))
@click.option("--reason", required=True, help="Why the partner need not show it.")
@with_config
@with_json
def waive(partner: str, case: str, reason: str, config_path: str | None, as_json: bool) -> int:
    """Let a partner go live without having shown a case.

    \b
    Example:  gateway partner waive ATLAS change --reason "takes no changes"
    """
    from gateway.jobs import rehearsing

    with at_work(config_path) as (ctx, _):
        find_profile(config.load(config_path), partner)
        said = rehearsing.waive(ctx, partner=partner.upper(), case=case, actor=actor(), reason=reason)
    say_json({"partner": partner.upper(), "case": case, "said": said}) if as_json else click.echo(said)
    return 0


@click.command()
@click.argument("partner")
@click.argument("stage", type=click.Choice(["setup", "testing", "ready", "live"]))
@click.option("--reason", default="", help="Why, for the record.")
@with_yes
@with_config
@with_json
def stage(partner: str, stage: str, reason: str, yes: bool, config_path: str | None, as_json: bool) -> int:
    """Bring a partner to another stage, by writing it into its profile. Live is refused while a case of its checklist is open.

    A running service takes it over when it is started again; a partner that has gone live gets its open RAs again, for real.

    \b
    Example:  gateway partner stage ATLAS live
    """
    from gateway.jobs import rehearsing

    workspace = config.load(config_path)
    profile = find_profile(workspace, partner)
    confirm(f"Bring {profile.partner} from {profile.stage} to {stage}?", yes=yes)
    with at_work(config_path) as (ctx, _):
        rehearsing.check_stage(ctx, partner=profile.partner, stage=stage, actor=actor(), reason=reason)
    path = _file_of(workspace, profile.partner)
    before = path.read_text(encoding="utf-8-sig")
    path.write_text(with_stage(before, stage), encoding="utf-8")
    try:
        config.load(config_path)
    except config.BrokenSettingsError:
        path.write_text(before, encoding="utf-8")
        raise
    said = f"{profile.partner} is {stage} now ({path.name}); restart the service to let it take this over"
    say_json({"partner": profile.partner, "stage": stage, "file": path.name}) if as_json else click.echo(said)
    return 0


def _file_of(workspace: config.Workspace, partner: str) -> Path:
    folder = workspace.root / workspace.settings.places.mappings
    named = re.compile(rf'^partner\s*=\s*"{re.escape(partner)}"', re.MULTILINE)
    return next(path for path in sorted(folder.glob("*.toml")) if named.search(path.read_text(encoding="utf-8-sig")))


def with_stage(text: str, stage: str) -> str:
    """A profile's text with another stage; the line is added below the partner's name where there is none."""
    line = f'stage = "{stage}"'
    changed, count = re.subn(r'^stage\s*=\s*"[^"]*"', line, text, count=1, flags=re.MULTILINE)
    return changed if count else re.sub(r"^(partner\s*=.*)$", rf"\1\n{line}", text, count=1, flags=re.MULTILINE)
