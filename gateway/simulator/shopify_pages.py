"""Connections of the simulated Shopify: pages with cursors, and the search strings that select rows.

A cursor holds the row's sort key, so a row that changes while someone pages moves as it does at Shopify. Search terms stand
side by side for AND, with OR between groups; the time part of an unquoted instant is ignored, so the whole day matches.
Source: https://shopify.dev/docs/api/usage/search-syntax , https://shopify.dev/docs/api/usage/pagination-graphql
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from graphql import GraphQLError

Row = TypeVar("Row")
MOST_ROWS = 250
_TERM = re.compile(
    r"(?P<or>\bOR\b)|(?P<and>\bAND\b)|(?P<minus>-)?(?P<field>\w+):(?P<op>>=|<=|>|<)?"
    r"(?:'(?P<single>(?:\\.|[^'\\])*)'|\"(?P<double>(?:\\.|[^\"\\])*)\"|(?P<bare>[^\s()]+))"
)


def connection(
    rows: Iterable[Row],
    make: Callable[[Row], object],
    args: Mapping[str, object],
    key: Callable[[Row], Sequence[object]] | None = None,
) -> dict[str, object]:
    """One page of rows: `first`/`after` or `last`/`before`, with `reverse`; without a key rows keep their place."""
    places: list[tuple[list[Any], Row]] = [([at] if key is None else list(key(row)), row) for at, row in enumerate(rows)]
    places.sort(key=lambda pair: pair[0], reverse=bool(args.get("reverse")))
    count, backwards = _count(args)
    places, cut_before = _window(places, args)
    more = len(places) > count
    page = places[-count:] if backwards and count else places[:count]
    ends: list[str | None] = [_encode(place) for place, _ in (page[:1] + page[-1:])]
    nodes = [make(row) for _, row in page]
    return {
        "nodes": nodes,
        "edges": [{"cursor": _encode(place), "node": node} for (place, _), node in zip(page, nodes, strict=True)],
        "pageInfo": {
            "hasNextPage": bool(args.get("before")) if backwards else more,
            "hasPreviousPage": more if backwards else cut_before,
            "startCursor": ends[0] if ends else None,
            "endCursor": ends[-1] if ends else None,
        },
    }


def search(rows: Iterable[Row], query: object, read: Mapping[str, Callable[[Row], object]]) -> list[Row]:
    """The rows that a search string selects; unknown fields are ignored, as Shopify ignores them."""
    groups = _groups(str(query)) if query else []
    if not groups:
        return list(rows)
    return [row for row in rows if any(all(_holds(term, row, read) for term in group) for group in groups)]


def _count(args: Mapping[str, object]) -> tuple[int, bool]:
    first, last = args.get("first"), args.get("last")
    if first is None and last is None:
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    count = int(str(first if first is not None else last))
    if not 0 <= count <= MOST_ROWS:
        message = f"The first or last argument must be between 0 and {MOST_ROWS}; it was {count}."
        raise GraphQLError(message, extensions={"code": "INVALID_FIELD_ARGUMENTS"})
    return count, first is None


def _window(places: list[tuple[list[Any], Row]], args: Mapping[str, object]) -> tuple[list[tuple[list[Any], Row]], bool]:
    after, before, turned = _decode(args.get("after")), _decode(args.get("before")), bool(args.get("reverse"))
    kept = places
    if after is not None:
        kept = [pair for pair in kept if (pair[0] < after if turned else pair[0] > after)]
    if before is not None:
        kept = [pair for pair in kept if (pair[0] > before if turned else pair[0] < before)]
    return kept, after is not None


def _encode(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _decode(cursor: object) -> list[Any] | None:
    if not cursor:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(str(cursor)))
    except ValueError:
        raise GraphQLError("Invalid cursor for current pagination sort.", extensions={"code": "BAD_REQUEST"}) from None
    return list(found)


Term = tuple[str, str, str, bool, bool]


def _groups(query: str) -> list[list[Term]]:
    groups: list[list[Term]] = [[]]
    for found in _TERM.finditer(query):
        if found["or"]:
            groups.append([])
        elif found["field"]:
            quoted = found["single"] if found["single"] is not None else found["double"]
            text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found["bare"]
            groups[-1].append((found["field"], found["op"] or "", text, quoted is not None, bool(found["minus"])))
    return [group for group in groups if group]


def _holds(term: Term, row: Row, read: Mapping[str, Callable[[Row], object]]) -> bool:
    field, op, text, quoted, negated = term
    if field not in read:
        return True
    value = read[field](row)
    if isinstance(value, datetime):
        found = _compare_times(value, op, text, quoted)
    elif isinstance(value, (list, tuple, set)):
        found = any(_same(one, text) for one in value)
    else:
        found = _same(value, text)
    return found != negated


def _compare_times(value: datetime, op: str, text: str, quoted: bool) -> bool:
    try:
        wanted = datetime.fromisoformat(text)
    except ValueError:
        return False
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    if not quoted:
        day, other = value.date(), wanted.astimezone(UTC).date()
        return {">=": day >= other, ">": day >= other, "<": day <= other, "<=": day <= other}.get(op, day == other)
    return {">=": value >= wanted, ">": value > wanted, "<": value < wanted, "<=": value <= wanted}.get(op, value == wanted)


def _same(value: object, text: str) -> bool:
    """Whether the words of the text stand one after the other in the value: Shopify matches words, not whole values."""
    have, want = _words(value), _words(text)
    return any(have[at : at + len(want)] == want for at in range(len(have) - len(want) + 1)) if want else False


def _words(value: object) -> list[str]:
    return [word for word in re.split(r"[^0-9a-z]+", str(value).casefold()) if word]
