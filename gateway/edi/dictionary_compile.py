"""Rules compiled into Python functions for each segment, which say at once that there is nothing to find.

A segment is judged in two steps. Its *form* (which elements are there, how long, digits or not) is read from its shape, in
which every digit is a 9 and every other character an A; many segments have the same shape, so the answer is remembered. Its
*content* (code lists, dates, times) is looked at each time, where there is any. Both are generated from the tables:

    def form(e):
        n = len(e)
        if n < 2 or n > 11: return False
        a1 = e[0]
        if not a1.isdecimal() or len(a1) > 7: return False
        ...
        if n == 4: return not (not (a3 or a4) or a4)

    def content(e):
        return e[0] in codes_514 and is_date(e[1])

True means that `dictionary_elements.check` would find nothing. False means *look closer*, no more: it may be wrong in that
direction (a decimal quantity, a leading blank), never in the other. Only printable ASCII is judged; the splitter knows which
blocks may hold anything else.
"""

from collections.abc import Callable, Iterator

from gateway.edi.dictionary_elements import is_date, is_time
from gateway.edi.dictionary_tables import ElementRule, Relation, SegmentRule

Check = Callable[[list[str]], bool]
_MOST_SHAPES = 4096


class Forms(dict[str, Check | None]):
    """The shapes of a segment that were seen, with what remains to be looked at in its content; None is nothing."""

    def __init__(self, rule: SegmentRule) -> None:
        super().__init__()
        self._rule = rule
        self._form = compile_form(rule)
        self._contents: dict[str, Check] = {}

    def __missing__(self, shape: str) -> Check | None:
        # The tag is three characters at most, and the delimiter stands behind it.
        elements = shape.split(shape[len(self._rule.tag)]) if len(shape) > len(self._rule.tag) else [shape]
        content = compile_content(self._rule, elements[1:], self._contents) if self._form(elements[1:]) else _look_closer
        if len(self) < _MOST_SHAPES:
            self[shape] = content
        return content


def _look_closer(_: list[str]) -> bool:
    return False


def compile_form(rule: SegmentRule) -> Check:
    """What says of the elements of a shape that their presence, lengths and digits are right."""
    return _compile("form", rule.tag, "\n".join(_lines(rule)), {})


def compile_content(rule: SegmentRule, elements: list[str], made: dict[str, Check]) -> Check | None:
    """What says of the elements of a segment that its codes, dates and times are right, or None when it has none.

    `made` remembers those made before for this segment.
    """
    names: dict[str, object] = {"is_date": is_date, "is_time": is_time}
    tests = []
    for at, (element, shape) in enumerate(zip(rule.elements, elements, strict=False)):
        if shape and element.codes is not None:
            names[f"codes_{element.number}"] = element.codes
            tests.append(f"e[{at}] in codes_{element.number}")
        elif shape and element.kind in ("DT", "TM"):
            tests.append(f"is_{'date' if element.kind == 'DT' else 'time'}(e[{at}])")
    if not tests:
        return None
    source = f"def content(e):\n    return {' and '.join(tests)}"
    if source not in made:
        made[source] = _compile("content", rule.tag, source, names)
    return made[source]


def _compile(name: str, tag: str, source: str, names: dict[str, object]) -> Check:
    exec(compile(source, f"<x12 {name} of {tag}>", "exec"), names)
    made: Check = names[name]  # type: ignore[assignment]  # the name that the source defines
    return made


def _lines(rule: SegmentRule) -> Iterator[str]:
    least = max((place for place, element in enumerate(rule.elements, 1) if element.need == "M"), default=0)
    most = len(rule.elements)
    related = {place for relation in rule.relations for place in relation.places if not relation.composite}
    yield "def form(e):"
    yield "    n = len(e)"
    yield f"    if n < {least} or n > {most}: return False"
    for place, element in enumerate(rule.elements, 1):
        if place > least:
            yield f"    if n == {place - 1}: return {_verdict(rule.relations, place - 1)}"
        yield f"    a{place} = e[{place - 1}]"
        doubt = _doubt(element, f"a{place}", place in related)
        if element.need != "M":
            doubt = f"a{place} and ({doubt})" if doubt else ""
        if doubt:
            yield f"    if {doubt}: return False"
    yield f"    return {_verdict(rule.relations, most)}"


def _doubt(rule: ElementRule, name: str, related: bool) -> str:
    """When a value that is there must be looked at more closely."""
    match rule.kind:
        case "R" | "N0" | "N2":
            return f"not {name}.isdecimal() or len({name}) > {rule.longest}"
        case "DT" | "TM":
            return f"len({name}) > {rule.longest}"
        case "COMP":
            return _doubt_composite(rule, name)
    return _doubt_length(rule, name, rule.need == "M" or related)


def _doubt_length(rule: ElementRule, name: str, must_not_be_blank: bool) -> str:
    if rule.shortest > 1:
        length = f"len({name}) != {rule.longest}"
        if rule.shortest < rule.longest:
            length = f"not {rule.shortest} <= len({name}) <= {rule.longest}"
        # A value of blanks counts as empty. It begins with a blank, which sorts before everything else.
        return f"{length} or {name}[-1] < '!'"
    blank = f"{name} < '!' or " if must_not_be_blank else ""
    return f"{blank}len({name}) > {rule.longest}"


def _doubt_composite(rule: ElementRule, name: str) -> str:
    """A lone first component without a code list is common, and everything else is looked at closely."""
    first, *rest = rule.components
    if first.codes is not None or first.kind in ("DT", "TM") or any(part.need == "M" for part in rest):
        return "True"
    return f"not {name}.isalnum() or {_doubt(first, name, True)}"


def _verdict(relations: tuple[Relation, ...], n: int) -> str:
    """Whether all relations hold when the segment ends with element n."""
    broken = [text for relation in relations if not relation.composite and (text := _broken(relation, n))]
    return f"not ({' or '.join(broken)})" if broken else "True"


def _broken(relation: Relation, n: int) -> str:
    names = [f"a{place}" for place in relation.places if place <= n]
    first, rest = relation.places[0], [f"a{place}" for place in relation.places[1:] if place <= n]
    whole = len(names) == len(relation.places)
    match relation.kind:
        case "P" if names:
            both = f" and not ({' and '.join(names)})" if whole else ""
            return f"(({' or '.join(names)}){both})"
        case "R":
            return f"not ({' or '.join(names)})" if names else "True"
        case "E" if len(names) > 1:
            return f"({' and '.join(names)})" if len(names) == 2 else "True"
        case "C" if first <= n:
            return f"(a{first} and not ({' and '.join(rest)}))" if whole and rest else f"a{first}"
        case "L" if first <= n:
            return f"(a{first} and not ({' or '.join(rest)}))" if rest else f"a{first}"
    return ""
