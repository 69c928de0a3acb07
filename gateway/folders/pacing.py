"""How much of a partner's is taken at a time (R-179 for floods: one partner's never stops another)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(slots=True)
class Pace:
    """Files and bytes a minute; 0 means without limit. A file larger than a whole minute's bytes is taken when the minute is empty."""

    files_a_minute: int = 0
    bytes_a_minute: int = 0
    _taken: deque[tuple[float, int]] = field(default_factory=deque)

    def allows(self, size: int, *, now: float) -> bool:
        """Whether a file of this size may be taken now."""
        while self._taken and now - self._taken[0][0] >= MINUTE:
            self._taken.popleft()
        if not self._taken:
            return True
        full = self.files_a_minute and len(self._taken) >= self.files_a_minute
        heavy = self.bytes_a_minute and sum(taken for _, taken in self._taken) + size > self.bytes_a_minute
        return not full and not heavy

    def note(self, size: int, *, now: float) -> None:
        """A file was taken."""
        if self.files_a_minute or self.bytes_a_minute:
            self._taken.append((now, size))
