"""The simulated world's clock: real UTC time plus an offset that can be moved.

The offset is a number of seconds in a small text file, read at every look at the clock, so that a gateway in another process
that reads the same file (GATEWAY_CLOCK_FILE) moves along. Without a file the offset lives in memory.
"""

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path


class SimClock:
    """Tells the simulated time; `advance` moves it, in this process and in every other that reads the same file."""

    def __init__(self, offset_file: Path | None = None) -> None:
        self.offset_file = offset_file
        self._offset = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.offset())

    def offset(self) -> float:
        """Seconds by which the simulated time is ahead of the real one."""
        if self.offset_file is None:
            return self._offset
        try:
            return float(self.offset_file.read_text(encoding="ascii").strip() or 0)
        except FileNotFoundError:
            return 0.0

    def advance(self, seconds: float) -> None:
        """Move the clock by so many seconds; negative values move it back."""
        with self._lock:
            self._write(self.offset() + seconds)

    def move_to(self, instant: datetime) -> None:
        """Move the clock so that it shows `instant` now."""
        with self._lock:
            self._write((instant - datetime.now(UTC)).total_seconds())

    def _write(self, offset: float) -> None:
        if self.offset_file is None:
            self._offset = offset
            return
        self.offset_file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.offset_file.with_name(f".{self.offset_file.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        temporary.write_text(f"{offset:.6f}", encoding="ascii")
        temporary.replace(self.offset_file)
