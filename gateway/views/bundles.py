"""A case bundle: one archive with the whole story of a return, to send to a partner or keep for a dispute (requirements R-188).

Personal data is masked: what shoppers wrote, names and addresses inside documents, mail addresses; of a tracking number the last four characters stay.
Of a partner's delimited file only those columns stay that its profile knows and that hold no free text.
A very large file is only named. The same book gives the same bytes: names are sorted, times are fixed.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from gateway.edi import flatfile
from gateway.folders import FolderTroubleError, GoneError, PartnerFolders, safe_name
from gateway.mapping.inbound_flat import layout_of
from gateway.mapping.profile_parts import ReadCsvReceipt
from gateway.mapping.profiles import Profile
from gateway.store import effects, files, keeping
from gateway.store.files import File
from gateway.views import cases

MAIL = re.compile(rb"[\w.+-]+@[\w-]+\.[\w.-]+")
PERSONAL_SEGMENTS = {b"N2", b"N3", b"N4", b"PER", b"CTA", b"COM"}
EPOCH = (1980, 1, 1, 0, 0, 0)
KEPT_CHARACTERS = 4
LARGEST = 10 * 1024 * 1024  # bytes of a document; a larger one is about a great many other returns
MASKED = re.compile(r"\w|[^\x00-\x7f]")
MARKS = ((codecs.BOM_UTF8, "latin-1"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
NOT_DELIMITED = (b"ISA", b"UNA", b"UNB", b"PK")
FREE_TEXT = frozenset({"note", "photos"})


def bundle(connection: Connection, rma: str, folders: Mapping[str, PartnerFolders], profiles: Mapping[str, Profile]) -> bytes:
    """The bundle of a return, as the bytes of a ZIP archive."""
    story = cases.story(connection, rma)
    words = sorted({text for document in keeping.documents_of(connection, [rma]) for text in keeping.personal_texts(document)}, key=len, reverse=True)
    calls = [
        {"id": e.id, "kind": e.kind, "version": e.version, "state": e.state.value, "attempts": e.attempts, "sent": e.payload, "seen": e.evidence}
        | {"answer": e.cause, "at": e.sent_at}
        for e in effects.of_target(connection, rma)
    ]
    parts: dict[str, bytes] = {
        "why.txt": "\n".join(cases.explain(connection, rma)).encode() + b"\n",
        "timeline.txt": "".join(f"{e['at']}\t{e['actor']}\t{e['text']}\n" for e in story["timeline"]).encode(),
        "story.json": _json(story),
        "calls.json": _json(calls),
    }
    found = [files.load(connection, number) for number in keeping.files_of(connection, [rma])]
    for file in found:
        if file is not None:
            parts[f"documents/{file.id}-{file.direction}-{safe_name(file.name)}"] = _content(file, folders, profiles.get(file.partner))
    masked = {name: mask_document(content, words) for name, content in parts.items()}
    masked["README.txt"] = _readme(rma, masked)
    return _zip(masked)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode()


def _content(file: File, folders: Mapping[str, PartnerFolders], profile: Profile | None) -> bytes:
    if file.content is not None:
        return file.content
    folder = folders.get(file.partner)
    try:
        if not folder or not file.place:
            return b"no longer kept (retention)\n"
        if file.size > LARGEST:
            return f"too large to be put in: {file.size} bytes, SHA-256 {file.kept_sha256}; it is kept as {file.place}\n".encode()
        content = b"".join(folder.read(file.place))
    except (GoneError, FolderTroubleError) as gone:
        return f"not there: {gone.message}\n".encode()
    rules = profile.receive.csv_receipt if profile else None
    return content if rules is None or content.lstrip().startswith(NOT_DELIMITED) else mask_columns(content, rules)


def mask_columns(content: bytes, rules: ReadCsvReceipt) -> bytes:
    """A delimited file with every letter and digit written over in the columns that the profile does not know, and in those of free text.

    The header stays; so do quotes, delimiters, ends of lines and, but in UTF-16, the length in bytes.
    """
    mark, encoding = next(((mark, name) for mark, name in MARKS if content.startswith(mark)), (b"", "latin-1"))
    text = content[len(mark) :].decode(encoding, "replace")
    rows = _cut(text, rules.delimiter or max(",;\t|", key=text.partition("\n")[0].count))
    layout = layout_of(rules)
    kept = _known_places([cell.strip(' "') for cell, _ in rows[0]], layout) if rows else frozenset()
    head = layout.has_header and not layout.records
    shown = [
        cell + end if at in kept or (head and not n) else MASKED.sub("X", cell) + end
        for n, row in enumerate(rows)
        for at, (cell, end) in enumerate(row)
    ]
    return mark + "".join(shown).encode(encoding, "replace")


def _cut(text: str, delimiter: str) -> list[list[tuple[str, str]]]:
    """Rows of cells, each as written and with what ends it."""
    apart = re.escape(delimiter)
    rows: list[list[tuple[str, str]]] = [[]]
    for found in re.finditer(rf'((?:"(?:[^"]|"")*")?[^{apart}\r\n]*)({apart}|\r?\n|\r|\Z)', text):
        rows[-1].append((found[1], found[2]))
        if found[2] != delimiter:
            rows.append([])
    return [row for row in rows if row]


def _known_places(head: list[str], layout: flatfile.Layout) -> frozenset[int]:
    """The columns, from 0, that the profile knows and that hold no free text."""
    if layout.records:
        named = [at for meaning, names in layout.columns.items() if meaning not in FREE_TEXT for at in names if isinstance(at, int)]
        return frozenset(at - 1 for at in (layout.record_column, *named, *layout.header_columns.values(), *layout.trailer_columns.values()))
    found, _ = flatfile.find_columns(1, head, layout)
    return frozenset(at for meaning, at in found.items() if meaning not in FREE_TEXT)


def mask_document(content: bytes, words: Sequence[str]) -> bytes:
    """A document without personal data; its length and the places of everything else stay."""
    for word in words:
        content = keeping.mask_bytes(content, [word]) if " " in word or len(word) < 2 * KEPT_CHARACTERS else _mask_number(content, word)
    content = MAIL.sub(lambda found: b"X" * len(found.group()), content)
    return b"".join(_mask_segments(content)) if content.startswith((b"ISA", b"UNA", b"UNB")) else content


def _mask_number(content: bytes, word: str) -> bytes:
    """A tracking number but for its end, by which both sides still know it."""
    raw = word.encode()
    return content.replace(raw, b"X" * (len(raw) - KEPT_CHARACTERS) + raw[-KEPT_CHARACTERS:])


def _mask_segments(content: bytes) -> Iterable[bytes]:
    """Segments that hold names, addresses and contacts, with every letter and digit after the tag written over."""
    x12 = content.startswith(b"ISA")
    element, terminator = (content[3:4], content[105:106]) if x12 else (b"+", b"'")
    for segment in re.split(b"(" + re.escape(terminator) + b")", content):
        tag = segment.strip().split(element, 1)[0]
        if tag in PERSONAL_SEGMENTS:
            start = segment.index(tag) + len(tag)
            yield segment[:start] + re.sub(rb"\w", b"X", segment[start:])
        else:
            yield segment


def _readme(rma: str, parts: Mapping[str, bytes]) -> bytes:
    lines = [
        f"Everything about return {rma}: why it stands where it stands, what happened when and by whom, each call and its answer, each document.",
        "Personal data is masked with X; of tracking numbers the last four characters stay.",
        "",
        *(f"{name}  {len(content)} bytes" for name, content in sorted(parts.items())),
    ]
    return "\n".join(lines).encode() + b"\n"


def _zip(parts: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in sorted(parts):
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, parts[name], compresslevel=6)
    return stream.getvalue()
