"""Uploaded files between the look at what they would cause and the word to take them; in memory only, few, and not for long."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

MOST, SECONDS = 8, 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was chosen, and whose inbox it is meant for."""

    partner: str
    name: str
    content: bytes
    test: bool


@dataclass(slots=True)
class Uploads:
    """The newest few uploads; each belongs to one session, and the session's next one takes its place."""

    kept: dict[str, tuple[float, Upload]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, key: str, upload: Upload, *, now: float) -> None:
        """Keep an upload until it is taken, replaced or too old."""
        with self.lock:
            self.kept.pop(key, None)
            self.kept[key] = (now + SECONDS, upload)
            for old in [name for name, (until, _) in self.kept.items() if until <= now] + list(self.kept)[:-MOST]:
                self.kept.pop(old, None)

    def take(self, key: str, *, now: float) -> Upload | None:
        """The session's upload, once."""
        with self.lock:
            until, upload = self.kept.pop(key, (0.0, None))
        return upload if until > now else None
