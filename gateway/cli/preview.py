"""`preview`: what a file is, what it says, and what would happen, without taking it; a running service is not needed, nor disturbed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from gateway import bootstrap, config
from gateway.cli import view
from gateway.cli.options import say_json, with_config, with_json
from gateway.cli.work import show_prospect
from gateway.edi import edifact, x12
from gateway.jobs import actions
from gateway.jobs.actions import Prospect
from gateway.mapping import business_words
from gateway.mapping.profiles import Profile

_KINDS = {"x12": "an X12 file", "edifact": "an EDIFACT file", "text": "a text file", "binary": "a binary file", "empty": "an empty file"}
_SNIFFED = 4096


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--partner", help="As if this partner had sent it (default: the one whose identifier is in the file).")
@with_config
@with_json
def preview(path: Path, partner: str | None, config_path: str | None, as_json: bool) -> int:
    """What a file is, what it says in business words, and what would happen, without taking it.

    Without a workspace it tells what the file is and says.

    \b
    Example:  gateway preview receipt.edi
              gateway preview receipts.csv --partner ATLAS
    """
    content = path.read_bytes()
    kind = x12.sniff(content[:_SNIFFED])
    documents = list(business_words.tell([content]))
    prospect, who = _prospect(path, content, partner, config_path)
    if as_json:
        told = {"file": path.name, "kind": kind, "who": who, "documents": [view.plain_document(one) for one in documents]}
        say_json(told | (actions.plain(prospect) if prospect else {}))
        return 0
    click.echo(f"{path.name} is {_KINDS[kind]} of {len(content)} bytes; {who}.")
    view.say_documents(documents)
    if prospect:
        show_prospect(prospect, as_json=False)
    return 0


def _prospect(path: Path, content: bytes, partner: str | None, config_path: str | None) -> tuple[Prospect | None, str]:
    """What would happen, and as whose file it was read or why as nobody's."""
    try:
        workspace = config.load(config_path)
    except config.BrokenSettingsError as fault:
        if partner or config_path:
            raise
        return None, f"what would happen is not known without a workspace ({fault.message})"
    who = (partner or sender_of(content, workspace.profiles)).upper()
    if not who:
        return None, f"no partner has the sender's identifier, so what would happen is not known: add --partner ({', '.join(workspace.profiles)})"
    ctx = bootstrap.make_context(workspace, bootstrap.open_book(workspace))
    try:
        prospect = actions.preview(ctx, partner=who, path=path.resolve(), content=content)
    finally:
        ctx.engine.dispose()
    return prospect, f"read as {who}'s" if partner else f"its sender is {who}"


def sender_of(content: bytes, profiles: Mapping[str, Profile]) -> str:
    """The one partner whose identifier the first interchange names as its sender; empty when there is none, or more than one."""
    senders = {event.header.sender for event in _starts(content)}
    known = {name for name, profile in profiles.items() for part in (profile.x12, profile.edifact) if part and part.partner_id in senders}
    return known.pop() if len(known) == 1 else ""


def _starts(content: bytes) -> list[x12.InterchangeStart | edifact.InterchangeStart]:
    if x12.sniff(content[:_SNIFFED]) == "edifact":
        found = (message for message in edifact.read_messages([content]) if isinstance(message, edifact.InterchangeStart))
        return [start for start, _ in zip(found, range(1), strict=False)]
    sets = (event for event in x12.read_sets([content]) if isinstance(event, x12.InterchangeStart))
    return [start for start, _ in zip(sets, range(1), strict=False)]
