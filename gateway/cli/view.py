"""`view`: a file as it stands, with the names and meanings of all that is in it, or as a business document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gateway.cli.options import say_json, with_config, with_json
from gateway.errors import PermanentError

if TYPE_CHECKING:
    from gateway.mapping.business_words import Told

_CHUNK = 1 << 16
_STYLES = {"heading": "bold cyan", "segment": "bold", "element": "", "finding": "yellow", "error": "bold red"}


class NoSuchFileError(PermanentError):
    """There is neither a file of this name nor one with this number in the book."""


class Shown(NamedTuple):
    """A file to be shown: its name, and its bytes as often as they are wanted."""

    name: str
    chunks: Callable[[], Iterable[bytes]]


def _read(path: Path) -> Iterator[bytes]:
    """The bytes of a file, piece by piece."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _find(file: str, config_path: str | None) -> Shown:
    """A file by its path, or one of the book by its number: what we made is in the book, what came is in the archive."""
    path = Path(file)
    if path.is_file():
        return Shown(path.name, lambda: _read(path))
    if not file.isdecimal():
        raise NoSuchFileError(f"there is no file {file}; give its path, or its number in the book (see `gateway find`)")
    from gateway import bootstrap, config
    from gateway.store import database, files

    workspace = config.load(config_path)
    engine = bootstrap.open_book(workspace)
    with database.reading(engine) as connection:
        row = files.load(connection, int(file))
    engine.dispose()
    if row is None:
        raise NoSuchFileError(f"the book has no file {file}; look for its number with `gateway find` or `gateway trace`")
    content, profile = row.content, workspace.profiles.get(row.partner)
    if content is not None:
        return Shown(row.name, lambda: [content])
    place = bootstrap.make_folders(workspace, profile).resolve(row.place) if profile and row.place else None
    if place is None or not place.is_file():
        raise NoSuchFileError(f"file {file} ({row.name}) is not on this machine any more: {place or 'its place is not in the book'}")
    return Shown(row.name, lambda: _read(place))


@click.command()
@click.argument("file")
@click.option("--raw", "way", flag_value="raw", help="As it stands, a segment on a line.")
@click.option("--annotated", "way", flag_value="annotated", default=True, help="With names, code meanings and findings (this is the default).")
@click.option("--document", "way", flag_value="document", help="As a business document.")
@with_config
@with_json
def view(file: str, way: str, config_path: str | None, as_json: bool) -> int:
    """Show a file, by its path or its number in the book. Exit code 2 when it has an error.

    \b
    Example:  gateway view receipt.edi
              gateway view 17 --document
    """
    shown = _find(file, config_path)
    return {"raw": _raw, "annotated": _annotated, "document": _document}[way](shown, as_json=as_json)


def _raw(shown: Shown, *, as_json: bool) -> int:
    from gateway.edi import rendering_parts

    lines = rendering_parts.raw_lines(shown.chunks())
    if as_json:
        say_json({"file": shown.name, "raw": list(lines)})
    else:
        _print(("element", line) for line in lines)
    return 0


def _annotated(shown: Shown, *, as_json: bool) -> int:
    from gateway.edi import rendering, rendering_parts, x12, x12_header

    head = next(iter(shown.chunks()), b"")
    if x12.sniff(head) not in ("x12", "edifact") and not x12_header.ISA_START.search(head):
        return _document(shown, as_json=as_json)
    if as_json:
        found = list(rendering_parts.blocks(shown.chunks()))
        say_json({"file": shown.name, "blocks": [rendering_parts.plain(block) for block in found]})
        told = [finding for block in found for finding in (*block.findings, *chain.from_iterable(e.findings for e in block.elements))]
        return 2 if any(finding.severity.value == "error" for finding in told) else 0
    bad = False

    def styled() -> Iterator[tuple[str, str]]:
        nonlocal bad
        for line in rendering.annotate(shown.chunks()):
            error = line.finding is not None and line.finding.severity.value == "error"
            bad = bad or error
            yield "error" if error else line.kind, line.text()

    _print(styled())
    return 2 if bad else 0


def _document(shown: Shown, *, as_json: bool) -> int:
    from gateway.mapping import business_words

    told = list(business_words.tell(shown.chunks()))
    if as_json:
        say_json({"file": shown.name, "documents": [plain_document(one) for one in told]})
    else:
        say_documents(told)
    return 2 if any(finding.severity.value == "error" for one in told for finding in one.findings) else 0


def plain_document(one: Told) -> dict[str, Any]:
    """A document in business words as JSON can carry it."""
    from gateway.edi import rendering_parts

    findings = [rendering_parts.plain_finding(finding) for finding in one.findings]
    return {"what": one.what, "facts": dict(one.facts), "lines": one.lines, "findings": findings}


def say_documents(told: Iterable[Told]) -> None:
    """Print documents in business words."""
    from gateway.edi import rendering

    for one in told:
        first, *rest = one.text()
        _print([("heading", first), *(("element", line) for line in rest)])
        _print(("error" if each.severity.value == "error" else "finding", f"  ! {rendering.sentence(each)}") for each in one.findings)


def _print(lines: Iterable[tuple[str, str]]) -> None:
    """Coloured on a terminal, plain otherwise."""
    import sys

    if not sys.stdout.isatty():
        for _, text in lines:
            click.echo(text)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for kind, text in lines:
        console.print(Text(text, style=_STYLES[kind]))
