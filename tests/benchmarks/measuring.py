"""Ratios in one run: all works in turn, round after round, in processor time, so that a machine that is busy at times slows all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping


def in_turn(works: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Seconds of each work in each round."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            work()
            seconds[name].append(time.process_time() - start)
    return seconds


def show(seconds: Mapping[str, list[float]], size: float, *, unit: str = "MB/s") -> None:
    """The best speed of each, and the middle of its ratios to the first in the same round."""
    yardstick, *_ = seconds
    for name, taken in seconds.items():
        ratio = statistics.median(bare / own for bare, own in zip(seconds[yardstick], taken, strict=True))
        print(f"{name:24s} {size / min(taken):10.1f} {unit}, {ratio:5.2f} of {yardstick}")
