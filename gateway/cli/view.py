"""`view`: a file as it stands, with the names and meanings of all that is in it, or as a business document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import click

from gateway.cli.options import say_json, with_config, with_json
from gateway.errors import PermanentError

_CHUNK = 1 << 16
_STYLES = {"heading": "bold cyan", "segment": "bold", "element": "", "finding": "yellow", "error": "bold red"}


class NoSuchFileError(PermanentError):
    """There is neither a file of this name nor one with this number in the book."""


def read(path: Path) -> Iterator[bytes]:
    """The bytes of a file, piece by piece."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _find(file: str, config_path: str | None) -> Path:
    """A path, or the place of a file of the book by its number."""
    path = Path(file)
    if path.is_file():
        return path
    if not file.isdecimal():
        raise NoSuchFileError(f"there is no file {file}; give its path, or its number in the book (see `gateway find`)")
    from gateway import bootstrap, config
    from gateway.store import database, files

    workspace = config.load(config_path)
    engine = bootstrap.open_book(workspace)
    with database.reading(engine) as connection:
        row = files.load(connection, int(file))
    engine.dispose()
    place = Path(row.place) if row and row.place else None
    if place is None or not place.is_file():
        raise NoSuchFileError(f"the book has no file {file}" if row is None else f"file {file} ({row.name}) is not on this machine: {place}")
    return place


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
    path = _find(file, config_path)
    shown = {"raw": _raw, "annotated": _annotated, "document": _document}[way]
    return shown(path, as_json=as_json)


def _raw(path: Path, *, as_json: bool) -> int:
    from gateway.edi import rendering_parts

    lines = rendering_parts.raw_lines(read(path))
    if as_json:
        say_json({"file": path.name, "raw": list(lines)})
    else:
        _print(("element", line) for line in lines)
    return 0


def _annotated(path: Path, *, as_json: bool) -> int:
    from gateway.edi import rendering, rendering_parts, x12, x12_header

    head = next(read(path), b"")
    if x12.sniff(head) not in ("x12", "edifact") and not x12_header.ISA_START.search(head):
        return _document(path, as_json=as_json)
    if as_json:
        found = list(rendering_parts.blocks(read(path)))
        say_json({"file": path.name, "blocks": [rendering_parts.plain(block) for block in found]})
        told = [finding for block in found for finding in (*block.findings, *chain.from_iterable(e.findings for e in block.elements))]
        return 2 if any(finding.severity.value == "error" for finding in told) else 0
    bad = False

    def styled() -> Iterator[tuple[str, str]]:
        nonlocal bad
        for line in rendering.annotate(read(path)):
            error = line.finding is not None and line.finding.severity.value == "error"
            bad = bad or error
            yield "error" if error else line.kind, line.text()

    _print(styled())
    return 2 if bad else 0


def _document(path: Path, *, as_json: bool) -> int:
    from gateway.edi import rendering, rendering_parts
    from gateway.mapping import business_words

    told = list(business_words.tell(read(path)))
    bad = any(finding.severity.value == "error" for one in told for finding in one.findings)
    if as_json:
        made = [
            {
                "what": one.what,
                "facts": dict(one.facts),
                "lines": one.lines,
                "findings": [rendering_parts.plain_finding(finding) for finding in one.findings],
            }
            for one in told
        ]
        say_json({"file": path.name, "documents": made})
        return 2 if bad else 0
    for one in told:
        first, *rest = one.text()
        _print([("heading", first), *(("element", line) for line in rest)])
        _print(("error" if each.severity.value == "error" else "finding", f"  ! {rendering.sentence(each)}") for each in one.findings)
    return 2 if bad else 0


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
