"""A circuit breaker for one host: what does not answer is left alone for a while, and then asked by one caller only.

Failures are calls without an answer and answers of 500 and above, in a row; every other answer, 429 too, shows that the host lives. While it is open a call
is refused before anything is sent. One breaker serves one process; several processes find out each for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Breaker:
    """Opens after `failures` in a row (0: never) for `first` seconds, twice as long after each probe that fails, at most `longest`."""

    failures: int
    first: float
    longest: float
    monotonic: Callable[[], float]
    told: bool | None = None  # the state that people were told last
    _seen: int = 0
    _pause: float = 0.0
    _until: float = 0.0
    _prober: int = 0
    _known: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def open(self) -> bool | None:
        """Whether the host is left alone; None while nothing is known of it."""
        return self._pause > 0 if self._known else None

    def rest(self) -> float:
        """Seconds until the host may be asked; 0 lets the caller through, as the one probe when the pause is over. Who was let through calls `heard`."""
        with self._lock:
            if not self._pause:
                return 0.0
            left = self._until - self.monotonic()
            if left > 0:
                return left
            if self._prober:
                return self.first
            self._prober = threading.get_ident()
            return 0.0

    def heard(self, alive: bool | None) -> None:
        """What a call that was let through came to; None when it was not made after all."""
        with self._lock:
            probed = self._prober == threading.get_ident()
            if probed:
                self._prober = 0
            if alive is None:
                return
            if alive:
                self._seen, self._pause, self._known = 0, 0.0, True
            elif probed:
                self._close_for(min(self._pause * 2, self.longest))
            elif not self._pause:
                self._seen += 1
                if self._seen == self.failures:
                    self._close_for(self.first)

    def _close_for(self, seconds: float) -> None:
        self._pause, self._until, self._known = seconds, self.monotonic() + seconds, True
