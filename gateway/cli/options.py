"""What commands share: where the workspace is, JSON or words, and drawing a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
MANY = 10

with_config = click.option(
    "--config", "config_path", metavar="FILE", help="gateway.toml, or the folder it is in (default: $GATEWAY_WORKSPACE or here)."
)
with_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
with_yes = click.option("--yes", is_flag=True, help="Do not ask.")
with_dry_run = click.option("--dry-run", is_flag=True, help="Show what would happen; do nothing.")


def say_json(value: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table: drawn on a terminal, tab-separated otherwise."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            click.echo("\t".join(str(cell).replace("\n", "; ") for cell in row))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(title=title or None, title_justify="left", header_style="bold")
    for name in columns:
        drawn.add_column(name, overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(str(cell)) for cell in row))
    Console().print(drawn)


def along(items: Sequence[T], what: str) -> Iterable[T]:
    """The items, with a progress bar on a terminal when there are many."""
    if len(items) < MANY or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description=what, console=Console(stderr=True), transient=True)


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; elsewhere `--yes` is the only way (R-202)."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("not on a terminal: add --yes to do this, or --dry-run to see what would happen")
    click.confirm(question, abort=True)


def actor() -> str:
    """Who acts, for the record."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def day(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """A day or an instant as people write it; UTC unless it says otherwise."""
    if value is None:
        return None
    if value in ("today", "yesterday"):
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=value == "yesterday")
    try:
        found = datetime.fromisoformat(value)
    except ValueError as fault:
        raise click.BadParameter(f"{value!r} is not a date like 2026-11-01 or 2026-11-01T08:00") from fault
    return found if found.tzinfo else found.replace(tzinfo=UTC)
