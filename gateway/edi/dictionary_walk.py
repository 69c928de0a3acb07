"""The order of segments in a set: which one stands where it may not, comes too often, or is missing.

The walk goes forward only. A segment is looked for from the current place in the innermost open loop, then in the loops
around it; a loop that ends, or a place that is passed, gives up its missing mandatory segments at the position of the segment
found instead. A segment that cannot be placed is reported and passed over: the walk stays where it is and goes on.
"""

from typing import NamedTuple

from gateway.edi.dictionary_tables import Node, Table

# Mandatory somewhere, though every single home of it is optional.
ONCE_ANYWHERE = {"944": "W07"}


class Misplaced(NamedTuple):
    """A segment id, its position in the set, and the AK304 code of what is wrong with it."""

    ordinal: int
    tag: str
    code: str


class _Level:
    """One open loop: its places, the current one, and how often that was used."""

    __slots__ = ("at", "nodes", "used")

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes
        self.at = 0
        self.used = 0

    def find(self, tag: str) -> int | None:
        """The place of the next such segment from here on; a full place gives way to a later one."""
        full = None
        for at in range(self.at, len(self.nodes)):
            if self.nodes[at].tag != tag:
                continue
            if at > self.at or self.used < (self.nodes[at].most or self.used + 1):
                return at
            full = at
        return full

    def passed(self, until: int) -> list[str]:
        """The mandatory segments missing between the current place and another."""
        first = self.at + 1 if self.used else self.at
        return [node.tag for node in self.nodes[first:until] if node.need == "M"]


def walk(tags: tuple[str, ...], set_id: str, table: Table) -> list[Misplaced]:
    """All that is wrong with the order of these segments, in their order."""
    nodes = table.sets[set_id]
    levels = [_Level(nodes)]
    found: list[Misplaced] = []
    for ordinal, tag in enumerate(tags, 1):
        depth, at = _place(levels, tag)
        if at is None:
            found.append(Misplaced(ordinal, tag, _homeless(tag, nodes, levels, table)))
            continue
        found += _missing(levels, depth, at, ordinal, table.trailer)
        found += _enter(levels, depth, at, ordinal)
    if tags[-1] != table.trailer:
        found += _missing(levels, 0, len(nodes), len(tags) + 1, table.trailer)
    found += _never(tags, set_id)
    return _without_moved(sorted(found, key=lambda one: one.ordinal))


def _place(levels: list[_Level], tag: str) -> tuple[int, int | None]:
    for depth in range(len(levels) - 1, -1, -1):
        at = levels[depth].find(tag)
        if at is not None:
            return depth, at
    return 0, None


def _missing(levels: list[_Level], depth: int, at: int, ordinal: int, trailer: str) -> list[Misplaced]:
    tags = [tag for level in reversed(levels[depth + 1 :]) for tag in level.passed(len(level.nodes))]
    tags += levels[depth].passed(at)
    return [Misplaced(ordinal, tag, "3") for tag in tags if tag != trailer]


def _enter(levels: list[_Level], depth: int, at: int, ordinal: int) -> list[Misplaced]:
    del levels[depth + 1 :]
    level = levels[depth]
    level.used = level.used + 1 if at == level.at else 1
    level.at = at
    node = level.nodes[at]
    if node.loop:
        levels.append(_Level(node.inside))
    if node.tolerated:
        return [Misplaced(ordinal, node.tag, "6")]
    if node.most and level.used > node.most:
        return [Misplaced(ordinal, node.tag, "4" if node.loop else "5")]
    return []


def _homeless(tag: str, nodes: tuple[Node, ...], levels: list[_Level], table: Table) -> str:
    """The code of a segment that has no place here: unknown, of another set, too late, or too early."""
    if not _holds(nodes, tag):
        return "6" if tag in table.segments else "1"
    behind = any(_holds(level.nodes[: level.at + 1], tag) for level in levels)
    return "7" if behind else "2"


def _holds(nodes: tuple[Node, ...], tag: str) -> bool:
    return any(node.tag == tag or _holds(node.inside, tag) for node in nodes)


def _never(tags: tuple[str, ...], set_id: str) -> list[Misplaced]:
    tag = ONCE_ANYWHERE.get(set_id)
    if tag is None or tag in tags:
        return []
    after = [ordinal for ordinal, each in enumerate(tags, 1) if each in ("W14", "SE")]
    return [Misplaced(after[0] if after else len(tags) + 1, tag, "3")]


def _without_moved(found: list[Misplaced]) -> list[Misplaced]:
    """A segment that stands in the wrong place is not missing as well."""
    moved = {one.tag for one in found if one.code in "27"}
    return [one for one in found if one.code != "3" or one.tag not in moved]
