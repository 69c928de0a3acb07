"""Shopify's cost bucket: what a document asks for, what it came to, and how fast the bucket fills.

The requested cost is counted naively, `first` times what one row holds; Shopify's own figure is usually lower, so a document
that passes here passes there. Objects cost 1, scalars 0, a mutation 10.
Source: https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)

MUTATION_COST = 10
NO_COST = ("pageInfo",)
TRANSPARENT = ("nodes", "edges")


@dataclass
class Bucket:
    """Points that one app has on one shop; filled continuously by the simulated time."""

    maximum: float = 2000.0
    restore_rate: float = 100.0
    available: float | None = None
    filled_at: datetime | None = field(default=None)

    def level(self, now: datetime) -> float:
        have = self.maximum if self.available is None else self.available
        passed = (now - self.filled_at).total_seconds() if self.filled_at else 0.0
        self.available = min(self.maximum, have + max(passed, 0.0) * self.restore_rate)
        self.filled_at = now
        return self.available

    def take(self, points: float) -> None:
        self.available = (self.maximum if self.available is None else self.available) - points

    def status(self, now: datetime) -> dict[str, float]:
        level = round(self.level(now), 1)
        return {"maximumAvailable": self.maximum, "currentlyAvailable": level, "restoreRate": self.restore_rate}


def requested(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, object]) -> int:
    """An upper bound for the cost of an operation."""
    fragments = {d.name.value: d.selection_set for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    counted = _Counter(fragments, variables).inside(operation.selection_set)
    return counted + (MUTATION_COST if operation.operation == OperationType.MUTATION else 0)


def actual(data: object) -> int:
    """What an answer came to: one point per object."""
    if isinstance(data, dict):
        return sum(_value(name, value) for name, value in data.items())
    return 0


@dataclass
class _Counter:
    fragments: Mapping[str, SelectionSetNode]
    variables: Mapping[str, object]

    def inside(self, selections: SelectionSetNode | None) -> int:
        total = 0
        for one in selections.selections if selections else ():
            if isinstance(one, FieldNode):
                total += self.of(one)
            elif isinstance(one, InlineFragmentNode):
                total += self.inside(one.selection_set)
            elif isinstance(one, FragmentSpreadNode):
                total += self.inside(self.fragments.get(one.name.value))
        return total

    def of(self, one: FieldNode) -> int:
        if one.selection_set is None or one.name.value in NO_COST:
            return 0
        rows = self.rows(one)
        children = self.inside(one.selection_set)
        if one.name.value in TRANSPARENT:
            return children
        return rows * (1 + children) if rows is not None else 1 + children

    def rows(self, one: FieldNode) -> int | None:
        for argument in one.arguments or ():
            if argument.name.value in ("first", "last"):
                return self.number(argument.value)
        return None

    def number(self, value: object) -> int | None:
        if isinstance(value, IntValueNode):
            return int(value.value)
        found = self.variables.get(value.name.value) if isinstance(value, VariableNode) else None
        return found if isinstance(found, int) else None


def _value(name: str, value: object) -> int:
    if isinstance(value, list):
        return sum(_value(name, one) for one in value)
    if not isinstance(value, dict) or name in NO_COST:
        return 0
    page = "nodes" in value or "edges" in value
    return actual(value) + (0 if page or name == "edges" else 1)
