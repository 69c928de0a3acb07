"""The fault drill on both databases, a few breaks of each kind; `gateway drill --points 300` is the long one (R-189)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from gateway.cli.drill import lay_out
from gateway.drill.play import Setting
from gateway.drill.running import KINDS, Break, Drill, Report, draw, judge
from gateway.store import database
from tests.adapters.test_service import gateway

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the drill forks")
LONG = [("moment", "rename"), ("write", "open", "full")] if os.environ.get("GATEWAY_TEST_DRILL") else []
INHERIT = {key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")}


def drill(folder: Path, database_url: str = "") -> Drill:
    """A drill in a folder."""
    return Drill(folder=folder, setting=Setting(make=lay_out, inherit=INHERIT, seed=7, database_url=database_url))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kinds", [("kill", "fsync"), *LONG])
def test_r189_it_ends_where_a_calm_life_ends(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    found = drill(tmp_path).run(len(kinds), kinds=kinds)
    assert found.differences == []
    assert found.points > 500
    assert sum(found.done.values()) == len(kinds)


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("postgres")
def test_r189_it_ends_there_on_postgresql_too(tmp_path: Path, postgres_url: str) -> None:
    found = drill(tmp_path, postgres_url).run(1, kinds=("kill",), only=Break("kill", 700))
    assert (found.differences, found.struck) == ([], {"kill": 3})


@pytest.mark.xdist_group("postgres")
def test_it_refuses_a_database_that_holds_something(tmp_path: Path, postgres_url: str) -> None:
    engine = database.connect(postgres_url)
    database.migrate(engine)
    engine.dispose()
    refused = gateway(tmp_path, "drill", "--database", postgres_url, without_config=True)
    assert (refused.returncode, "holds tables already" in refused.stderr) == (1, True)
    engine = database.connect(postgres_url)
    assert database.is_current(engine)  # and touched nothing
    engine.dispose()


def test_its_breaks_are_spread_over_the_life_and_repeat_by_their_seed() -> None:
    def places(seed: int) -> Iterator[Break]:
        return draw(40, kinds=KINDS, report=Report(seed=seed, points=1700, passes=7, calls=calls))

    calls = {"fsync": 200, "write": 60, "rename": 13, "open": 60}

    assert list(places(1)) == list(places(1))
    assert list(places(1)) != list(places(2))
    kills = [one.place for one in islice(places(1), 6)]
    assert kills == sorted(set(kills))
    assert kills[-1] > 1000
    assert all(1 <= one.place <= calls[one.kind] for one in places(1) if one.kind in calls)


@pytest.mark.timeout(600)
def test_it_strikes_where_it_is_told_to(tmp_path: Path) -> None:
    found = drill(tmp_path).run(1, kinds=("rename",))
    assert (found.differences, found.struck) == ([], {"rename": 1})
    assert found.calls["rename"] > 5


@pytest.mark.parametrize(
    ("found", "calm", "meaning"),
    [(["a"], ["a", "b"], "lost"), (["a", "a"], ["a"], "doubled"), ({1: 2}, {1: 1}, "doubled"), ({1: 0}, {1: 1}, "lost"), ("x", "y", "different")],
)
def test_it_says_what_a_difference_means(found: object, calm: object, meaning: str) -> None:
    assert judge(found, calm) == meaning
