"""A stored file three ways: as it is, annotated, and as the business document it stands for; findings at their place (R-149)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from gateway.edi import rendering, x12
from gateway.edi.rendering import Line
from gateway.store import events, files, received, returns
from gateway.store.files import File

LARGEST = 300_000
MOST_BLOCKS = 1_500
MOST_TOLD = 200  # receipts of a file, and events


@dataclass(slots=True)
class Block:
    """A stretch of a file: its raw text, what it means, and what is wrong with it."""

    raw: str
    lines: list[Line] = field(default_factory=list)
    findings: list[tuple[bool, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A file as far as it is shown; `cut` when there is more."""

    blocks: list[Block]
    cut: bool
    findings: int
    kind: str


def head_of(chunks: Iterable[bytes]) -> tuple[bytes, bool]:
    """The first part of a file, and whether there is more."""
    kept = b""
    for chunk in chunks:
        kept += chunk
        if len(kept) > LARGEST:
            return kept[:LARGEST], True
    return kept, False


def show(chunks: Iterable[bytes], *, delimiter: str = ",") -> Shown:
    """The file in blocks: segments of an interchange, or lines of a flat file."""
    content, cut = head_of(chunks)
    kind: str = x12.sniff(content[:4096])
    if kind in ("x12", "edifact"):
        blocks = _interchange(content)
    elif b"\0" in content[:4096]:
        blocks, kind = [Block(raw="This is no text; download it to look at it.")], "binary"
    else:
        blocks, kind = _flat(content, delimiter), "flat"
    return Shown(blocks=blocks[:MOST_BLOCKS], cut=cut or len(blocks) > MOST_BLOCKS, findings=sum(len(b.findings) for b in blocks), kind=kind)


def _interchange(content: bytes) -> list[Block]:
    """Each heading or segment with a place of its own begins a block; what has none belongs to the block before."""
    lines = list(rendering.annotate([content]))
    starts = sorted({line.offset - 1 for line in lines if line.kind in ("heading", "segment") and line.offset} | {0})  # offsets count from 1
    ends = [*starts[1:], len(content)]
    blocks = {start: Block(raw=content[start:end].decode("utf-8", "replace").strip("\r\n")) for start, end in zip(starts, ends, strict=True)}
    at = 0
    for line in lines:
        if line.kind in ("heading", "segment") and line.offset - 1 in blocks:
            at = line.offset - 1
        if line.finding is not None:
            blocks[at].findings.append((line.finding.severity.name == "ERROR", rendering.sentence(line.finding)))
        else:
            blocks[at].lines.append(line)
    return [blocks[start] for start in starts]


def _flat(content: bytes, delimiter: str) -> list[Block]:
    """Each line of a flat file, its values under the names of the columns."""
    text = content.decode("utf-8-sig", "replace")
    raw = text.splitlines()
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        rows = []
    names = rows[0] if rows else []
    if len(rows) != len(raw):
        return [Block(raw=line) for line in raw]
    return [Block(raw=line, lines=_named(names, row) if number else []) for number, (line, row) in enumerate(zip(raw, rows, strict=True))]


def _named(names: list[str], row: list[str]) -> list[Line]:
    return [Line(kind="element", name=names[at] if at < len(names) else f"column {at + 1}", value=value) for at, value in enumerate(row) if value]


def business(connection: Connection, file: File) -> dict[str, Any]:
    """What a file says in business words, the receipts that came in it or the RAs that went out, and its story; of very many the first, and the newest."""
    documents = files.documents_in(connection, file.id)
    ras = {row["ra"] for row in documents if row["ra"] and file.direction == "out"}
    receipts = received.receipts_in(connection, file.id, limit=MOST_TOLD + 1)
    story = events.of_file(connection, file.id, limit=MOST_TOLD + 1)
    return {
        "documents": documents,
        "receipts": receipts[:MOST_TOLD],
        "more_receipts": len(receipts) > MOST_TOLD,
        "events": story[-MOST_TOLD:],
        "more_events": len(story) > MOST_TOLD,
        "ras": [held for held in (returns.load_authorization(connection, ra) for ra in sorted(ras)[:50]) if held],
    }
