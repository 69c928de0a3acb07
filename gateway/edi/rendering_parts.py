"""The view of a file in parts: a block for each segment or heading with its elements and findings as data, and the raw text segment by segment.

`rendering.annotate` gives flat lines for a terminal; this gives the same, gathered, for pages and for `--json`. Nothing is left out on the way.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from gateway.edi import edifact_split, rendering, x12_header
from gateway.edi.rendering import Line
from gateway.edi.syntax import Finding
from gateway.edi.x12_parts import DEFAULT, Strictness

_WINDOW = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An element or component: its reference (`W07-02`), name, value, what a code means, and what is wrong with it."""

    ref: str
    name: str
    value: str
    meaning: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A `segment` with its elements, a `heading` of the envelope, or a `finding` that belongs to neither; offsets are bytes from 1."""

    kind: str
    depth: int
    tag: str = ""
    name: str = ""
    offset: int = 0
    elements: tuple[Element, ...] = ()
    findings: tuple[Finding, ...] = field(default=())


def blocks(chunks: Iterable[bytes], *, strictness: Strictness = DEFAULT) -> Iterator[Block]:
    """The blocks of a file, in its order; a finding in front of a segment (what is missing there) is a block of its own."""
    block: Block | None = None
    for line in rendering.annotate(chunks, strictness=strictness):
        if block is not None and line.indent > block.depth and line.kind in ("element", "finding"):
            block = _with(block, line)
            continue
        if block is not None:
            yield block
        findings = (line.finding,) if line.finding else ()
        block = Block(kind=line.kind, depth=line.indent, tag=line.label, name=line.name, offset=line.offset, findings=findings)
    if block is not None:
        yield block


def _with(block: Block, line: Line) -> Block:
    """The block with one line more that stands under it."""
    if line.finding is None:
        element = Element(ref=line.label, name=line.name, value=line.value, meaning=line.meaning)
        return replace(block, elements=(*block.elements, element))
    if block.elements and line.indent > block.depth + 1:
        last = block.elements[-1]
        return replace(block, elements=(*block.elements[:-1], replace(last, findings=(*last.findings, line.finding))))
    return replace(block, findings=(*block.findings, line.finding))


def plain(block: Block) -> dict[str, Any]:
    """A block as JSON can carry it."""
    made: dict[str, Any] = {"kind": block.kind, "depth": block.depth, "tag": block.tag, "name": block.name, "offset": block.offset}
    made["findings"] = [plain_finding(finding) for finding in block.findings]
    made["elements"] = [
        {
            "ref": element.ref,
            "name": element.name,
            "value": element.value,
            "meaning": element.meaning,
            "findings": [plain_finding(finding) for finding in element.findings],
        }
        for element in block.elements
    ]
    return made


def plain_finding(finding: Finding) -> dict[str, Any]:
    """A finding as JSON can carry it: code, gravity, place, words, remedy."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "scope": finding.scope.value,
        "message": finding.message,
        "remedy": finding.remedy,
        "where": finding.where(),
        "offset": finding.offset,
        "line": finding.line,
        "segment": finding.segment,
        "tag": finding.tag,
        "element": finding.element,
        "component": finding.component,
        "value": finding.value,
    }


def raw_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The file as it stands, a segment on a line, what cannot be printed as escapes; the delimiters of its first interchange decide."""
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= _WINDOW:
            break
    terminator = _terminator(head[:_WINDOW])
    rest = b""
    for chunk in chain([head], source):
        *whole, rest = (rest + chunk).split(terminator)
        yield from (_printed(piece, terminator) for piece in whole)
    if rest.strip(x12_header.BLANKS):
        yield _printed(rest, b"")


def _printed(piece: bytes, terminator: bytes) -> str:
    shown = terminator if terminator.strip() else b""
    text = x12_header.decode(piece.strip(b"\r\n") + shown)
    return text if text.isprintable() else "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _terminator(window: bytes) -> bytes:
    kind = x12_header.sniff(window)
    start = x12_header.ISA_START.search(window)
    if kind == "x12" and start:
        found = x12_header.find_header(window[start.start() :])
        return found.separators.terminator if found else b"~"
    if kind == "edifact":
        header = edifact_split.find_header(window)
        return header.delimiters.terminator if header else b"'"
    return b"\n"
