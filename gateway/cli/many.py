"""Commands that act on one thing or on many: `hold`, `release`, `close`, `retry`, `replay` (requirements R-142 to R-144).

What is meant can be named, or found by a search; either way the count is shown before anything is done, and each item gets its own result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from gateway.cli.options import actor, along, confirm, day, say_json, table, with_config, with_dry_run, with_json, with_yes
from gateway.cli.work import at_work, show_prospect
from gateway.jobs import actions, bulk, trials
from gateway.jobs.actions import Prospect
from gateway.jobs.context import Context

SHOWN = 20
Act = Callable[[str], str]

with_find = click.option("--find", "searched", metavar="TEXT", help="All RAs that this search finds (as `gateway find` does).")
with_state = click.option("--state", help="All RAs in this state.")
with_partner = click.option("--partner", help="Only RAs of this partner.")


def choose(ctx: Context, named: Sequence[str], *, searched: str | None, state: str | None, partner: str | None) -> list[str]:
    """The RAs that are meant: named, or found."""
    if not named and not searched and not state:
        raise click.UsageError("name at least one RA, or find them with --find or --state")
    return [*named, *(bulk.find_authorizations(ctx, text=searched, state=state, partner=partner) if searched or state else [])]


def act_on(  # noqa: PLR0913 - what is done to what, and how it is asked and shown
    ctx: Context, verb: str, subjects: Sequence[str], *, reason: str, ask: bool, dry_run: bool, yes: bool, as_json: bool
) -> int:  # fmt: skip
    """Show the count, ask, act on each, show each result; 1 when nothing was meant, 2 when an item failed."""
    wanted = list(dict.fromkeys(subjects))
    told = f"{verb} {len(wanted)}: {', '.join(wanted[:SHOWN])}{' …' if len(wanted) > SHOWN else ''}"
    if not wanted:
        say_json({"verb": verb, "count": 0, "items": []}) if as_json else click.echo(f"{verb}: nothing is meant by this.", err=True)
        return 1
    if dry_run:
        say_json({"verb": verb, "count": len(wanted), "items": wanted, "dry_run": True}) if as_json else click.echo(f"Would {told}")
        return 0
    if ask or len(wanted) > 1:
        confirm(f"{told[0].upper()}{told[1:]}?", yes=yes)
    done = [one for subject in along(wanted, verb) for one in bulk.act(ctx, verb=verb, subjects=[subject], actor=actor(), reason=reason)]
    if as_json:
        items = [{"subject": one.subject, "ok": one.ok, "said": one.said} for one in done]
        say_json({"verb": verb, "count": len(done), "items": items})
    elif len(done) == 1:
        click.echo(done[0].said, err=not done[0].ok)
    else:
        table([verb, "result", "said"], [[one.subject, "done" if one.ok else "NOT DONE", one.said] for one in done])
    return 0 if all(one.ok for one in done) else 2 if len(done) > 1 else 1


@click.command()
@click.argument("ras", nargs=-1, metavar="[RA]...")
@click.option("--reason", required=True, help="Why.")
@with_find
@with_state
@with_partner
@with_dry_run
@with_yes
@with_config
@with_json
def hold(  # noqa: PLR0913, PLR0917 - one parameter for each option
    ras: tuple[str, ...],
    reason: str,
    searched: str | None,
    state: str | None,
    partner: str | None,
    dry_run: bool,
    yes: bool,
    config_path: str | None,
    as_json: bool,
) -> int:
    """Keep RAs from being sent, or, where the partner has them, from being decided.

    \b
    Example:  gateway hold RA77000001 --reason "address being checked"
              gateway hold --find "#1001" --reason "order under review" --yes
    """
    with at_work(config_path) as (ctx, _):
        chosen = choose(ctx, ras, searched=searched, state=state, partner=partner)
        return act_on(ctx, "hold", chosen, reason=reason, ask=False, dry_run=dry_run, yes=yes, as_json=as_json)


@click.command()
@click.argument("ras", nargs=-1, metavar="[RA]...")
@click.option("--reason", default="", help="Why.")
@with_find
@with_state
@with_partner
@with_dry_run
@with_yes
@with_config
@with_json
def release(  # noqa: PLR0913, PLR0917 - one parameter for each option
    ras: tuple[str, ...],
    reason: str,
    searched: str | None,
    state: str | None,
    partner: str | None,
    dry_run: bool,
    yes: bool,
    config_path: str | None,
    as_json: bool,
) -> int:
    """Let held RAs go on: they are sent, or decided, from where they stand.

    \b
    Example:  gateway release RA77000001 --yes
              gateway release --state held --partner ATLAS --dry-run
    """
    with at_work(config_path) as (ctx, work_off):
        chosen = choose(ctx, ras, searched=searched, state=state, partner=partner)
        code = act_on(ctx, "release", chosen, reason=reason, ask=True, dry_run=dry_run, yes=yes, as_json=as_json)
        work_off()
    return code


@click.command()
@click.argument("ras", nargs=-1, metavar="[RA]...")
@click.option("--reason", required=True, help="Why.")
@with_find
@with_state
@with_partner
@with_dry_run
@with_yes
@with_config
@with_json
def close(  # noqa: PLR0913, PLR0917 - one parameter for each option
    ras: tuple[str, ...],
    reason: str,
    searched: str | None,
    state: str | None,
    partner: str | None,
    dry_run: bool,
    yes: bool,
    config_path: str | None,
    as_json: bool,
) -> int:
    """Close RAs by hand; what has not come counts as not returned, Loop is not called.

    \b
    Example:  gateway close RA77000001 --reason "parcel lost, refunded by hand"
    """
    with at_work(config_path) as (ctx, _):
        chosen = choose(ctx, ras, searched=searched, state=state, partner=partner)
        return act_on(ctx, "close", chosen, reason=reason, ask=True, dry_run=dry_run, yes=yes, as_json=as_json)


@click.command()
@click.argument("steps", nargs=-1, metavar="[STEP]...")
@click.option("--kind", help='Everything on the work list of this kind that can be tried again, for instance "failed step".')
@click.option("--reason", default="", help="Why.")
@with_dry_run
@with_yes
@with_config
@with_json
def retry(  # noqa: PLR0913, PLR0917 - one parameter for each option
    steps: tuple[str, ...], kind: str | None, reason: str, dry_run: bool, yes: bool, config_path: str | None, as_json: bool
) -> int:
    """Repeat failed steps: an effect by its number, or a queued job as JOB:KEY (both stand in the work list's advice).

    An effect of which it is not known whether it happened is looked up first; one that happened is never repeated.

    \b
    Example:  gateway retry 31
              gateway retry translate:17 --yes
              gateway retry --kind "failed step" --dry-run
    """
    if bool(steps) == bool(kind):
        raise click.UsageError("name at least one step, or --kind")
    with at_work(config_path) as (ctx, work_off):
        chosen = list(steps) or bulk.find_steps(ctx, kind=kind or "")
        code = act_on(ctx, "retry", chosen, reason=reason, ask=True, dry_run=dry_run, yes=yes, as_json=as_json)
        work_off()
    return code


@click.command()
@click.argument("file_ids", type=int, nargs=-1, metavar="[FILE_ID]...")
@click.option("--ra", help="All files that brought something for this RA.")
@click.option("--partner", help="All files of this partner …")
@click.option("--from", "start", callback=day, help="… that came from this day on (UTC).")
@click.option("--to", "end", callback=day, help="… and before this day.")
@click.option("--accept-control", is_flag=True, help="Accept a repeated interchange number with new content.")
@with_dry_run
@with_yes
@with_config
@with_json
def replay(  # noqa: PLR0913, PLR0917 - one parameter for each option
    file_ids: tuple[int, ...],
    ra: str | None,
    partner: str | None,
    start: datetime | None,
    end: datetime | None,
    accept_control: bool,
    dry_run: bool,
    yes: bool,
    config_path: str | None,
    as_json: bool,
) -> int:
    """Handle inbound files again: by number (see `gateway trace`), all of an RA, or all of a range. An effect that has happened is not repeated.

    A dry run of a range also tells which decisions of that time would differ under the settings as they are now.

    \b
    Example:  gateway replay 17 --dry-run
              gateway replay --from 2026-11-01 --dry-run
    """
    with at_work(config_path) as (ctx, work_off):
        chosen = list(file_ids) or bulk.find_files(ctx, ra=ra, partner=partner, start=start, end=end)
        if dry_run:
            found = [
                actions.replay(ctx, file_id=number, dry_run=True, accept_control=accept_control, actor=actor()) for number in along(chosen, "replay")
            ]
            trial = trials.try_rules(ctx, start=start, end=end) if start or end else None
            _show_trial(found, trial, as_json=as_json)
            return 0 if found or trial else 1
        if not chosen:
            click.echo("replay: no file is meant by this.", err=True)
            return 1
        confirm(f"Handle {len(chosen)} file(s) again: {', '.join(map(str, chosen[:SHOWN]))}{' …' if len(chosen) > SHOWN else ''}?", yes=yes)
        names = [actions.replay(ctx, file_id=n, dry_run=False, accept_control=accept_control, actor=actor()).name for n in along(chosen, "replay")]
        work_off()
    if as_json:
        say_json({"count": len(chosen), "files": chosen, "queued": True})
    else:
        for name in names:
            click.echo(f"{name} is handled again.")
    return 0


def _show_trial(found: Sequence[Prospect], trial: trials.Trial | None, *, as_json: bool) -> None:
    effects = sum(len(prospect.effects) for prospect in found)
    if as_json:
        told: dict[str, Any] = {"count": len(found), "new_effects": effects, "files": [actions.plain(prospect) for prospect in found]}
        if trial:
            changes = [
                {name: getattr(one, name) for name in ("rma", "decided_at", "was", "would_be", "value", "currency")} for one in trial.differences
            ]
            told |= {"decisions": {"read": trial.read, "said": trial.sentence, "would_differ": changes}}
        say_json(told if len(found) != 1 or trial else told["files"][0] | told)
        return
    for prospect in found:
        show_prospect(prospect, as_json=False)
    if len(found) > 1:
        click.echo(f"{len(found)} file(s), {effects} new effect(s)" + (": all already applied" if not effects else ""))
    if trial:
        rows = [[one.rma, one.was, one.would_be, f"{one.value:.2f} {one.currency}"] for one in trial.differences]
        if rows:
            table(["RMA", "was", "would be", "value"], rows)
        click.echo(trial.sentence)
