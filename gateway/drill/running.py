"""The drill itself: a calm play, then as many broken ones as asked for, each compared with it.

Where a play is broken is drawn from the seed: points spread over the whole life for kills, random moments, and single calls that fail. One difference is a
bug, and the drill names the break that shows it: `gateway drill --only KIND:PLACE` repeats it.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gateway.drill.play import Setting, Theatre, Victims, play, theatre
from gateway.drill.victim import CALLS, Order
from gateway.errors import GatewayError
from gateway.store import database

KINDS = ("kill", "moment", "fsync", "write", "rename", "open", "full")
KILLED_AGAIN = 2
LOST, DOUBLED, DIFFERENT = "lost", "doubled", "different"


@dataclass(frozen=True, slots=True)
class Break:
    """Where a play is broken: `place` is a point or the number of a call, counted through the whole play, a moment in milliseconds with the pass in thousands, or (full) a pass."""

    kind: str
    place: int


@dataclass(slots=True)
class Report:
    """What a drill came to."""

    seed: int
    points: int = 0
    passes: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)
    differences: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """How often something was lost, doubled, or otherwise different."""
        return {kind: sum(1 for found in self.differences if found["meaning"] == kind) for kind in (LOST, DOUBLED, DIFFERENT)}

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {**asdict(self), **self.counts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A drill in a folder."""

    folder: Path
    setting: Setting
    victims: Victims = field(default_factory=Victims)
    monotonic: Callable[[], float] = time.monotonic

    def run(
        self, count: int, *, kinds: tuple[str, ...] = ("kill", "moment"), only: Break | None = None, say: Callable[[str], None] = lambda _: None
    ) -> Report:
        """Play calmly, then broken so many times."""
        try:
            if self.setting.database_url:
                _refuse_used(self.setting.database_url)
            report = self._run(count, kinds, only, say)
        finally:
            self.victims.close()
        if self.setting.database_url:
            _clear(self.setting.database_url)
        return report

    def _run(self, count: int, kinds: tuple[str, ...], only: Break | None, say: Callable[[str], None]) -> Report:
        began = self.monotonic()
        report = Report(seed=self.setting.seed)
        calm = self._play("calm", report)
        breaks = [only] if only else list(draw(count, kinds=kinds, report=report))
        for number, place in enumerate(breaks, start=1):
            self._broken(place, calm, report)
            found = report.counts
            say(f"{number}/{len(breaks)} {place.kind} at {place.place}: {', '.join(f'{count} {what}' for what, count in found.items())}")
        report.seconds = round(self.monotonic() - began, 1)
        return report

    def _broken(self, place: Break, calm: Mapping[str, Any], report: Report) -> None:
        report.done[place.kind] = report.done.get(place.kind, 0) + 1
        try:
            found = self._play(f"{place.kind}-{place.place}", report, place)
        except GatewayError as error:
            report.differences.append({**asdict(place), "meaning": LOST, "what": "the end", "found": error.message, "calm": "reached"})
            return
        for name, value in calm.items():
            if found[name] != value:
                meaning = judge(found[name], value)
                report.differences.append({**asdict(place), "meaning": meaning, "what": name, "found": found[name], "calm": value})

    def _play(self, name: str, report: Report, place: Break | None = None) -> dict[str, Any]:
        folder = self.folder / name
        if self.setting.database_url:
            _clear(self.setting.database_url)
        with theatre(folder, self.setting, self.victims) as stage:
            try:
                state = play(stage, orders(stage, place, report.passes) if place else iter(()))
            finally:
                if place:
                    report.struck[place.kind] = report.struck.get(place.kind, 0) + strikes(stage)
            if not place:
                report.points, report.passes = passed(stage), stage.passes
                report.calls = {kind: called(stage, kind) for kind in CALLS}
        shutil.rmtree(folder, ignore_errors=True)
        return state


def passed(stage: Theatre) -> int:
    """How many points a play has passed."""
    return sum(said.get("points", 0) for said in stage.said)


def called(stage: Theatre, kind: str) -> int:
    """How many calls of a kind a play has made."""
    return sum(said.get("calls", {}).get(kind, 0) for said in stage.said)


def strikes(stage: Theatre) -> int:
    """How often a play was broken."""
    return sum(bool(said.get("died") or said.get("failed")) for said in stage.said)


def draw(count: int, *, kinds: tuple[str, ...], report: Report) -> Iterator[Break]:
    """So many breaks, spread over a play like the calm one reported: kills and calls evenly over its points and calls, elsewhere with each seed; the rest by lot."""
    dice, passes = random.Random(report.seed), report.passes
    places = {"kill": report.points, **report.calls}
    each = {kind: len(range(place, count, len(kinds))) for place, kind in enumerate(kinds)}
    for kind, number in each.items():
        for place in range(number):
            if kind in places:
                yield Break(kind, 1 + int((place + dice.random()) * places[kind] / number))
            elif kind == "moment":
                yield Break(kind, dice.randrange(1, 900) + 1000 * dice.randrange(passes // 2 + 1))
            else:
                yield Break(kind, dice.randrange(passes // 2 + 1))


def orders(stage: Theatre, place: Break, passes: int) -> Iterator[Order]:
    """The order of each pass that breaks a play at a place, for as many as a calm one has. A killed one is killed again while it recovers."""
    if place.kind == "kill":
        while not strikes(stage):
            yield Order(die_at=max(place.place - passed(stage), 1))
        dice = random.Random(place.place)
        yield from [Order(die_at=dice.randrange(1, 250)) for _ in range(KILLED_AGAIN)]
        return
    if place.kind in CALLS:
        while not strikes(stage) and stage.passes < passes:
            yield Order(fail=place.kind, fail_at=place.place - called(stage, place.kind))
        return
    calm, at = (place.place, 0) if place.kind == "full" else divmod(place.place, 1000)
    yield from [Order()] * calm
    if place.kind == "moment":
        yield Order(die_after_ms=float(at))
    else:
        yield Order(full=True)


def judge(found: object, calm: object) -> str:
    """Whether something is missing, too much, or otherwise different."""
    if isinstance(found, list) and isinstance(calm, list) and len(found) != len(calm):
        return LOST if len(found) < len(calm) else DOUBLED
    if isinstance(found, dict) and isinstance(calm, dict) and all(isinstance(v, int) for v in [*found.values(), *calm.values()]):
        return DOUBLED if any(found[key] > calm[key] for key in calm) else LOST
    return DIFFERENT


def _refuse_used(url: str) -> None:
    engine = database.connect(url)
    try:
        database.require_empty(engine)
    finally:
        engine.dispose()


def _clear(url: str) -> None:
    engine: Engine = database.connect(url)
    try:
        database.clear(engine)
    finally:
        engine.dispose()
