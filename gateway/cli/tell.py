"""Commands that tell: `report` and `recap`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from gateway.cli.options import say_json, table, with_config, with_dry_run, with_json, with_yes

if TYPE_CHECKING:
    from gateway.views.reports import Question, Table

NAMES = (
    "expected",
    "damaged",
    "reasons",
    "flagged",
    "unmatched",
    "refunds",
    "refund-lines",
    "scorecard",
    "month-end",
    "open-ar",
    "credited-not-received",
    "received-not-credited",
    "aging",
)


def _day(text: str | None, zone: ZoneInfo) -> datetime | None:
    """The instant a day, or a time, begins in the merchant's zone."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as fault:
        raise click.BadParameter(f"{text!r} is not a date like 2026-11-01 or 2026-11-01T08:00") from fault
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _question(config_path: str | None, start: str | None, end: str | None) -> Question:
    from gateway import bootstrap, config
    from gateway.views.aging import Limits
    from gateway.views.reports import Question

    workspace = config.load(config_path)
    zone = ZoneInfo(workspace.settings.merchant.time_zone)
    last = _day(end, zone)
    if last and len(end or "") <= len("2026-11-30"):
        last += timedelta(days=1)  # a day is meant to be part of the period
    return Question(
        now=bootstrap.clock(workspace)(),
        start=_day(start, zone),
        end=last,
        limits=Limits(**workspace.settings.aging.model_dump()),
        calendars={name: profile.calendar.business for name, profile in workspace.profiles.items()},
    )


@click.command()
@click.argument("name", metavar="NAME", type=click.Choice(NAMES))
@click.option("--from", "start", metavar="DAY", help="From this day (the merchant's zone).")
@click.option("--to", "end", metavar="DAY", help="To this day, which is part of it.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "xlsx", "json"]), help="How (default: table, or what --out ends with).")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of the screen.")
@with_config
@with_json
def report(  # noqa: PLR0913, PLR0917 - one parameter for each option
    name: str, start: str | None, end: str | None, form: str | None, out: Path | None, config_path: str | None, as_json: bool
) -> int:
    """A report on screen, as CSV, XLSX or JSON: expected, damaged, reasons, flagged, unmatched, refunds, refund-lines, scorecard, month-end, open-ar,
    credited-not-received, received-not-credited or aging. month-end lists every difference and ends with exit code 2 when there is one.

    \b
    Example:  gateway report month-end --from 2026-11-01 --to 2026-11-30
              gateway report scorecard --out scorecard.xlsx
    """
    from gateway.cli.book import reading_book
    from gateway.views import reports

    question = _question(config_path, start, end)
    with reading_book(config_path) as connection:
        found = reports.make(connection, name, question)
    chosen = "json" if as_json else form or (out.suffix.lstrip(".") if out and out.suffix in (".csv", ".xlsx", ".json") else "table")
    if out is None and chosen == "xlsx":
        raise click.UsageError("a workbook needs a file: add --out NAME.xlsx")
    if out is None:
        _print(found, chosen)
    else:
        out.write_bytes(_content(found, chosen))
        click.echo(f"{found.title}: {len(found.rows)} row(s) in {out}", err=True)
    return 2 if any(note.startswith("DIFFERENCE") for note in found.notes) else 0


def _print(found: Table, form: str) -> None:
    from gateway.views import sheets

    if form == "json":
        say_json(sheets.to_json(found))
    elif form == "csv":
        click.echo(sheets.to_csv(found), nl=False)
    else:
        rows = [[sheets.to_text(found, column, row.get(column)) for column in found.columns] for row in found.rows]
        table(list(found.columns), rows, title=found.title)
        for note in found.notes:
            click.echo(note)
        if not rows:
            click.echo("Nothing in this period.", err=True)


def _content(found: Table, form: str) -> bytes:
    import json

    from gateway.views import sheets

    if form == "xlsx":
        return sheets.to_xlsx(found)
    if form == "json":
        return (json.dumps(sheets.to_json(found), indent=2, ensure_ascii=False, default=str) + "\n").encode()
    return sheets.to_csv(found)


@click.command()
@click.option("--send", is_flag=True, help="Send it to those who get it every day, too.")
@click.option("--html", "as_html", is_flag=True, help="Show the HTML of the mail.")
@with_dry_run
@with_yes
@with_config
@with_json
def recap(send: bool, as_html: bool, dry_run: bool, yes: bool, config_path: str | None, as_json: bool) -> int:
    """The recap of the last 24 hours, as the daily mail tells it; with --send it is also sent.

    \b
    Example:  gateway recap
              gateway recap --send --yes
    """
    from gateway.cli.options import confirm
    from gateway.cli.work import at_work
    from gateway.jobs import telling
    from gateway.store import database
    from gateway.worker import run_job

    with at_work(config_path) as (ctx, work_off):
        with database.reading(ctx.engine) as connection:
            found = telling.gather_recap(ctx, connection)
        subject, text, html = telling.write_recap(ctx, found)
        sending = send and not dry_run
        if sending:
            confirm(f"Send this recap to {', '.join(ctx.telling.recap_to) or 'nobody'}?", yes=yes)
            tally = run_job(ctx, "DailyRecap", now=True)
            work_off()
            if tally.failed:
                click.echo("; ".join(tally.reasons), err=True)
                return 2
    if as_json:
        facts = {
            name: getattr(found, name) for name in ("states", "partners", "new_tasks", "open_tasks", "silences", "alerts", "late", "differences")
        }
        say_json({"subject": subject, "all_clear": found.all_clear, "sent": sending, **facts})
    else:
        click.echo(html if as_html else f"Subject: {subject}\n\n{text}")
    return 0
