"""The light way to the book, for commands that only look: the address alone is read from `gateway.toml`, nothing is checked that is not needed.

`find`, `explain` and `trace` answer while a person waits. Reading every profile and waking every client costs them more than the answer does.
Whatever is not plain here (no file, broken TOML, a new or older book) is left to the full way, which says what is wrong.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from gateway.store import database

FILE_NAME = "gateway.toml"


@contextmanager
def reading_book(config_path: str | None) -> Iterator[Connection]:
    """A reading connection to the workspace's book."""
    engine = open_light(config_path) or open_full(config_path)
    try:
        with database.reading(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def open_light(config_path: str | None) -> Engine | None:
    """The book, when it is there and of this version; None otherwise."""
    url = find_url(config_path)
    if not url:
        return None
    engine = database.connect(url)
    if database.is_current(engine):
        return engine
    engine.dispose()
    return None


def open_full(config_path: str | None) -> Engine:
    """The book by way of the whole configuration: made or brought forward where needed, or an error in words."""
    from gateway import bootstrap, config

    return bootstrap.open_book(config.load(config_path))


def find_url(config_path: str | None) -> str:
    """Where the book is, as `config.Workspace.database_url` says it; empty when that cannot be seen at a glance."""
    chosen = Path(config_path or os.environ.get("GATEWAY_WORKSPACE") or ".")
    root = (chosen.parent if chosen.name.endswith(".toml") else chosen).resolve()
    path = chosen if chosen.name.endswith(".toml") else root / FILE_NAME
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, tomllib.TOMLDecodeError):
        return ""
    named = os.environ.get("GATEWAY_DATABASE_URL") or found.get("database", {}).get("url", "")
    if named:
        return str(named)
    file = root / str(found.get("places", {}).get("var", "var")) / "gateway.db"
    return f"sqlite:///{file}" if file.is_file() else ""
