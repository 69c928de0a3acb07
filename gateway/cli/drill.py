"""`drill`: the fault drill for operators."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from gateway.cli.options import say_json, table, with_json
from gateway.errors import PermanentError


@click.command()
@click.option("--points", default=60, show_default=True, help="How many times the play is broken.")
@click.option("--seed", default=1, show_default=True, help="Seed of everything random.")
@click.option("--kinds", default="kill,moment", show_default=True, help="What breaks it: kill, moment, fsync, write, rename, open, full.")
@click.option("--only", help="One break alone, as KIND:PLACE from an earlier report.")
@click.option("--database", "database_url", default="", help="An empty PostgreSQL database to drill on; it is cleared (default: SQLite).")
@click.option("--calm-services", is_flag=True, help="No faults of Loop and Shopify besides.")
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Where to play (default: a temporary folder).")
@with_json
def drill(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    points: int, seed: int, kinds: str, only: str | None, database_url: str, calm_services: bool, folder: Path | None, as_json: bool
) -> int:
    """Four returns live their life again and again; each time the gateway is killed, or its system fails it, at another place. Each time the end must be
    the end of a calm life: nothing lost, nothing doubled. Exit code 1 when something is.

    \b
    Example:  gateway drill --points 300 --seed 7
              gateway drill --points 100 --database postgresql+psycopg://drill@/drill
    """
    if not hasattr(os, "fork"):
        raise PermanentError("the drill forks and kills processes as POSIX systems do; this system does not offer that")
    from gateway.drill.play import Setting
    from gateway.drill.running import KINDS, Break, Drill

    chosen = tuple(kind.strip() for kind in kinds.split(",") if kind.strip())
    if unknown := [kind for kind in chosen if kind not in KINDS]:
        raise click.BadParameter(f"{unknown[0]!r} is not one of {', '.join(KINDS)}", param_hint="--kinds")
    kind, _, place = (only or "").partition(":")
    inherit = {key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")}
    with tempfile.TemporaryDirectory(prefix="gateway-drill-") as own:
        setting = Setting(make=lay_out, inherit=inherit, seed=seed, troubles=not calm_services, database_url=database_url)
        chosen_break = Break(kind, int(place)) if only else None
        found = Drill(folder=folder or Path(own), setting=setting).run(
            points, kinds=chosen, only=chosen_break, say=lambda text: click.echo(text, err=True)
        )
    if as_json:
        say_json(found.as_json())
    else:
        click.echo(f"A calm life has {found.points} points in {found.passes} passes (seed {seed}).")
        table(["broken by", "plays", "struck"], [[name, str(count), str(found.struck.get(name, 0))] for name, count in found.done.items()])
        click.echo(", ".join(f"{count} {what}" for what, count in found.counts.items()) + f"; {found.seconds:.0f} s")
        for one in found.differences:
            click.echo(f"{one['kind']}:{one['place']} {one['meaning']}: {one['what']} is {one['found']}, calm {one['calm']}", err=True)
    return 1 if found.differences else 0


def lay_out(folder: Path) -> None:
    """A workspace with short periods and without settling, for a play."""
    from gateway.cli.setup import make_workspace
    from gateway.drill.play import PERIODS

    make_workspace(folder)
    settings = folder / "gateway.toml"
    settings.write_text("test_mode = true\n" + settings.read_text(encoding="utf-8") + PERIODS, encoding="utf-8")
    for path in (folder / "mappings").glob("*.toml"):
        path.write_text(path.read_text(encoding="utf-8").replace("settle_seconds = 5.0", "settle_seconds = 0.0"), encoding="utf-8")
