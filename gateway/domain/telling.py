"""Who has to be told what, now: news against what was told before (requirements R-156).

A *cause* is something wrong, known by kind and subject. It is told once; told again only when it still lasts after the repeat time; and once more when
it is over. All that is due together goes into one message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Something wrong; `since` is when it began, `advice` what to do."""

    kind: str
    subject: str
    text: str
    since: datetime
    advice: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same cause."""
        return self.kind, self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told before, when last, and how often."""

    kind: str
    subject: str
    text: str
    told_at: datetime
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is due to be told; falsy when nothing is."""

    new: Sequence[Cause] = ()
    again: Sequence[Cause] = ()
    resolved: Sequence[Told] = ()
    repeated: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.new or self.again or self.resolved)

    @property
    def subject(self) -> str:
        """The counts in words, for a subject line."""
        parts = ((len(self.new), "new"), (len(self.again), "still open"), (len(self.resolved), "resolved"))
        return ", ".join(f"{count} {word}" for count, word in parts if count)


def find_news(causes: Iterable[Cause], told: Iterable[Told], *, now: datetime, repeat: timedelta, group: timedelta) -> News:
    """What is due: new causes once the first has waited for its group, lasting ones after the repeat time, and those that are over."""
    current = {cause.key: cause for cause in causes}
    before = {(one.kind, one.subject): one for one in told}
    new = [cause for key, cause in current.items() if key not in before]
    ripe = any(now - cause.since >= group for cause in new)
    again = [cause for key, cause in current.items() if key in before and now - before[key].told_at >= repeat]
    resolved = [one for key, one in before.items() if key not in current]
    return News(
        new=tuple(new) if ripe else (),
        again=tuple(again),
        resolved=tuple(resolved),
        repeated={cause.key: before[cause.key].times + 1 for cause in again},
    )
