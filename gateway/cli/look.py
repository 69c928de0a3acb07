"""Commands that only look: `status`, `find`, `explain`, `trace`, `export`, `verify`."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime

import click

from gateway.cli.book import reading_book
from gateway.cli.options import day, say_json, table, with_config, with_json
from gateway.errors import GatewayError

EXPORTED = ("ras", "files", "documents", "receipts", "effects", "refunds", "invoices", "stock", "orders", "tasks", "alerts", "runs")


@click.command()
@with_config
@with_json
def status(config_path: str | None, as_json: bool) -> int:
    """Whether all is well: is it running and ready, is there work, how each part stands, what needs a person. Exit code 2 when something does.

    \b
    Example:  gateway status --json
    """
    from gateway import bootstrap, config
    from gateway.daemon import lock
    from gateway.views import health

    workspace = config.load(config_path)
    engine = bootstrap.open_book(workspace)
    folders = {name: bootstrap.make_folders(workspace, profile) for name, profile in workspace.profiles.items()}
    for folder in folders.values():
        with contextlib.suppress(GatewayError):  # its part says so
            folder.make()
    found = health.status(engine, folders, now=bootstrap.clock(workspace)(), ready=lock.is_running(workspace.var))
    engine.dispose()
    if as_json:
        say_json(found)
        return 0
    click.echo(f"{'running and ready' if found['ready'] else 'not running'}; {'idle' if found['idle'] else 'work to do'}")
    counts = found["counts"]
    rows = [(f"RAs {state}", str(count)) for state, count in counts["ras"].items()] + [(f"files {key}", str(n)) for key, n in counts["files"].items()]
    table(["what", "count"], [*rows, ("queued", str(counts["queue_all"])), ("files arriving", str(counts["arriving"]))])
    table(["part", "name", "well", "says"], [[p["part"], p["name"], "yes" if p["well"] else "NO", p["words"]] for p in found["parts"]])
    for problem in found["problems"]:
        click.echo(f"! {problem}")
    if not found["problems"]:
        click.echo("Nothing needs a person.")
    return 2 if found["problems"] else 0


@click.command()
@click.argument("text")
@with_config
@with_json
def find(text: str, config_path: str | None, as_json: bool) -> int:
    """Find by RMA, RA, order name or id, refund id, tracking number, SKU, UPC, receipt number, file name or control number.

    \b
    Example:  gateway find 77000001
    """
    from gateway.store import searching

    with reading_book(config_path) as connection:
        hits = searching.find(connection, text)
    if as_json:
        say_json(hits)
    else:
        table(["what", "found"], [[hit["kind"], "  ".join(f"{k}={v}" for k, v in hit.items() if k != "kind")] for hit in hits])
        if not hits:
            click.echo(f"Nothing in the book has {text!r}.", err=True)
    return 0 if hits else 1


@click.command()
@click.argument("rma")
@click.option("--timeline", "with_timeline", is_flag=True, help="Every event as well.")
@click.option(
    "--lineage", "with_lineage", is_flag=True, help="Where every quantity and amount comes from, to the element of a file or the field of an answer."
)
@with_config
@with_json
def explain(rma: str, with_timeline: bool, with_lineage: bool, config_path: str | None, as_json: bool) -> int:
    """Why a return was processed, flagged, held or skipped: the rule, the numbers, the file and line, the calls.

    \b
    Example:  gateway explain 77000003 --timeline
              gateway explain 77000003 --lineage
    """
    from gateway.views import cases, lineage

    with reading_book(config_path) as connection:
        number = cases.rma_of(connection, rma)
        sentences = cases.explain(connection, number)
        whole = cases.story_if_known(connection, number)
        figures = lineage.of_return(connection, number) if with_lineage else []
    if as_json:
        say_json(whole | {"why": sentences} | ({"lineage": figures} if with_lineage else {}))
        return 0
    for sentence in sentences:
        click.echo(sentence)
    for figure in figures:
        click.echo(lineage.in_words(figure))
    if with_timeline and whole:
        table(["when", "who", "what"], [[e["at"][:19].replace("T", " "), e["actor"], e["text"]] for e in whole["timeline"]])
    return 0


@click.command()
@click.argument("file")
@with_config
@with_json
def trace(file: str, config_path: str | None, as_json: bool) -> int:
    """Everything about one file, by name, number or hash: what became of it, its documents, receipts and events.

    \b
    Example:  gateway trace ATLAS_856_000000001.edi
    """
    from gateway.views import cases

    with reading_book(config_path) as connection:
        found = cases.trace(connection, file)
    if as_json:
        say_json(found)
        return 0
    for one in found:
        click.echo(
            f"{one['name']} ({one['direction']}, {one['partner']}): {one['outcome'] or one['state']}"
            + (f", {one['reason']}" if one["reason"] else "")
        )
        click.echo(
            f"  file {one['id']}, {one['size']} bytes, sha256 {one['sha256'][:16]}…, control {one['control'] or 'none'}, in {one['place'] or 'the outbox'}"
        )
        for document in one["documents"]:
            click.echo(
                f"  {document['document']} {document['ra'] or ''}: {document['validation']}, acknowledgement {document['acknowledgement']} {document['reason']}"
            )
        for line in one["receipts"]:
            click.echo(f"  receipt {line}")
        for row in one["lineage"]:
            led = [row["decision"], *row["calls"], *row["stock"], *row["credit"]] if row["counts"] else [row["why_not"]]
            click.echo(f"  {row['place']}: {row['sku']} {row['good']} good, {row['second']} second → {' → '.join(filter(None, [row['ra'], *led]))}")
        for event in one["events"]:
            click.echo(f"  {event['at'][:19].replace('T', ' ')}  {event['text']}")
        if one["side_text"]:
            click.echo("\n" + one["side_text"])
    return 0


@click.command()
@click.option("--kind", type=click.Choice(EXPORTED), help="Only this kind of record.")
@with_config
@with_json
def export(kind: str | None, config_path: str | None, as_json: bool) -> int:
    """The whole book as JSON (schema gateway-export-1): RAs, files, receipts, effects, refunds, invoices, stock, orders, tasks, alerts, runs.

    \b
    Example:  gateway export --json --kind ras
    """
    from gateway.views import records

    with reading_book(config_path) as connection:
        found = records.export(connection, kind)
    if as_json or not kind:
        say_json(found)
        return 0
    rows = found[kind]
    columns = list(rows[0]) if rows else []
    table(columns, [[str(row[c]) for c in columns] for row in rows])
    return 0


@click.command()
@click.option("--from", "start", callback=day, help="Period: from this day (UTC); without it, the whole book.")
@click.option("--to", "end", callback=day, help="Period: to this day (UTC), not included.")
@with_config
@with_json
def verify(start: datetime | None, end: datetime | None, config_path: str | None, as_json: bool) -> int:
    """Prove the book: database, audit seals, archive hashes, and that units, money and stock are conserved. Exit code 1 names what is broken.

    \b
    Example:  gateway verify
              gateway verify --from 2026-11-01 --to 2026-12-01 --json
    """
    from gateway import bootstrap, config
    from gateway.views import health

    workspace = config.load(config_path)
    engine = bootstrap.open_book(workspace)
    folders = {name: bootstrap.make_folders(workspace, profile) for name, profile in workspace.profiles.items()}
    found = health.prove(engine, folders, start=start, end=end, most_bonus=workspace.settings.merchant.bonus_credit)
    engine.dispose()
    if as_json:
        say_json(found)
        return 0 if found["ok"] else 1
    proof = found["conservation"]
    if sys.stdout.isatty() or found["ok"]:
        table(["units", "count"], [[name.replace("_", " "), str(count)] for name, count in proof["units"].items()])
        table(["money", "amount"], [[f"{name} {currency}", text] for currency, row in proof["money"].items() for name, text in row.items()])
    for row in proof["exceptions"]:
        click.echo(f"Loop's own amounts: {row['text']}")
    for text in found["broken"]:
        click.echo(f"broken: {text}")
    if found["ok"]:
        click.echo(f"Database, seals, archive, units, money and stock are in order ({proof['returns']} returns).")
    return 0 if found["ok"] else 1
