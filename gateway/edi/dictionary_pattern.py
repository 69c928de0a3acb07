"""Rules compiled into patterns of bytes: a whole set or message, or one segment, of which they say at once that there is nothing to find.

From the same tables as the long check a regular expression is made for each set, version and choice of delimiters:

    ST*944*(n)~  W17*[CFJNX]*date*text(?:*text...)~  (?:N1*...~ (?:N2*...~)? ... ){1,10}  ...  W14*...~  SE*(count)*(same n)~

A match means that `dictionary_walk.walk` and `dictionary_elements.check` would find nothing; that is tested, and the only
promise. No match means *look closer*, no more: it fails for much that is allowed (a decimal quantity, a leading blank, the 29th
of February, letters beyond ASCII), never the other way round. All loops and choices are possessive, because the walk is:
it never takes a segment back, and a set of any size is judged in one pass. A rule that changes in the long check changes here.

Possessive patterns with groups inside are right from Python 3.11.5 on (gh-106052); before that there are none, and all is read the long way.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from gateway.edi.dictionary_tables import ElementRule, Node, Relation, SegmentRule, Table
from gateway.edi.x12_parts import Separators

AVAILABLE = sys.version_info >= (3, 11, 5)
_NEVER = "(?!)"
_WIDEST = 5  # elements bound together by relations whose every combination is written out
_DATE = r"(?:19|20)[0-9]{2}(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)|02(?:0[1-9]|1[0-9]|2[0-8]))"
_TIME = "(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9]{{0,{more}}}+|)"


class Marks:
    """The delimiters of an interchange as a pattern needs them; `joint` is the terminator with the line end that follows it.

    `nested` says that composites have components of their own rules (EDIFACT); in X12 only a lone first component is taken.
    """

    __slots__ = ("blackened", "component", "element", "joint", "minus", "nested", "printed")

    def __init__(self, separators: Separators, line_end: bytes, *, nested: bool = False, release: bytes | None = None) -> None:
        taken = {byte for byte in (*separators, release) if byte}
        self.nested = nested
        free = bytes(byte for byte in range(0x20, 0x7F) if bytes([byte]) not in taken)
        self.element = _escaped(separators.element)
        self.component = _escaped(separators.component)
        self.joint = _escaped(separators.terminator + line_end)
        self.printed = _class(free)
        self.blackened = _class(free.replace(b" ", b""))
        self.minus = "" if b"-" in taken else "-?+"


def set_pattern(set_id: str, table: Table, marks: Marks) -> "re.Pattern[bytes]":
    """What matches a set from ST to SE that is right; group 1 is its control number, group 2 what SE01 says."""
    inside = "".join(_node(node, table, marks) for node in table.sets[set_id] if node.tag not in ("ST", "SE"))
    element, joint = marks.element, marks.joint
    opening = f"ST{element}{set_id}{element}({marks.blackened}{{4,9}}+)(?:{element}{marks.printed}{{0,35}}+|){joint}"
    closing = f"SE{element}([0-9]{{1,10}}+){element}\\1{joint}"
    return re.compile((opening + inside + closing).encode("latin-1"))


def message_pattern(identity: tuple[str, str, str], table: Table, marks: Marks) -> "re.Pattern[bytes]":
    """The same for an EDIFACT message from UNH to UNT, given its type, version and release."""
    element, component, joint = marks.element, marks.component, marks.joint
    inside = "".join(_node(node, table, marks) for node in table.sets[identity[0]] if node.tag not in ("UNH", "UNT"))
    kind = component.join(_escaped(part.encode("latin-1")) for part in identity)
    opening = f"UNH{element}({marks.blackened}{{1,14}}+){element}{kind}(?:{component}{marks.printed}{{1,6}}+){{0,2}}+{joint}"
    closing = f"UNT{element}([0-9]{{1,10}}+){element}\\1{joint}"
    return re.compile((opening + inside + closing).encode("latin-1"))


def segment_pattern(rule: SegmentRule, separators: Separators) -> "re.Pattern[bytes]":
    """What matches one segment that is right, its terminator included."""
    return re.compile(_segment(rule, Marks(separators, b"")).encode("latin-1"))


def _node(node: Node, table: Table, marks: Marks) -> str:
    if node.tolerated:
        return ""
    text = _segment(table.segments[node.tag], marks) + "".join(_node(inner, table, marks) for inner in node.inside)
    if node.most == 1:
        return f"(?>{text})" if node.need == "M" else f"(?>{text}|)"
    return f"(?:{text}){{{1 if node.need == 'M' else 0},{node.most or ''}}}+"


def _segment(rule: SegmentRule, marks: Marks) -> str:
    return rule.tag + _tail(list(_blocks(rule)), rule, marks) + marks.joint


def _blocks(rule: SegmentRule) -> Iterator[range]:
    """The places of a segment cut where no relation reaches across."""
    start = 1
    bounds = [(min(each.places), max(each.places)) for each in rule.relations if not each.composite]
    for end in range(1, len(rule.elements) + 1):
        if not any(low <= end < high for low, high in bounds):
            yield range(start, end + 1)
            start = end + 1


def _tail(blocks: list[range], rule: SegmentRule, marks: Marks) -> str:
    """The elements from the first of these blocks on; the text that is nested here ends wherever the segment may end."""
    if not blocks:
        return ""
    block, *rest = blocks
    combinations = list(_combinations(block, rule))
    choices = []
    if len(block) <= _WIDEST:
        whole = "|".join(_written(block, there, rule, marks) for there in combinations)
        choices.append((f"(?>{whole})" if len(combinations) > 1 else whole) + _tail(rest, rule, marks))
    if all(() in _combinations(later, rule) for later in rest):  # nothing behind must be there
        ends = [there for there in combinations if there]
        short = [range(block[0], max(there) + 1) for there in ends]
        choices += [_written(part, there, rule, marks) for part, there in zip(short, ends, strict=True) if part != block]
        choices += [""] if () in combinations else []
    return f"(?:{'|'.join(choices)})" if len(choices) > 1 else choices[0] if choices else _NEVER


def _combinations(block: range, rule: SegmentRule) -> Iterator[tuple[int, ...]]:
    """Which elements of a block may be there together, the fullest first."""
    relations = [each for each in rule.relations if not each.composite and each.places[0] in block]
    tried = block if len(block) <= _WIDEST else block[:_WIDEST]
    for choice in product((True, False), repeat=len(tried)):
        there = tuple(place for place, taken in zip(tried, choice, strict=True) if taken)
        needed = all(place in there for place in block if rule.elements[place - 1].need == "M")
        if needed and all(_holds(relation, there) for relation in relations):
            yield there


def _holds(relation: Relation, there: tuple[int, ...]) -> bool:
    first, *rest = relation.places
    count = sum(place in there for place in relation.places)
    match relation.kind:
        case "P":
            return count in (0, len(relation.places))
        case "R":
            return count > 0
        case "E":
            return count < 2
        case "C":
            return first not in there or count == len(relation.places)
    return first not in there or any(place in there for place in rest)


def _written(places: Sequence[int], there: tuple[int, ...], rule: SegmentRule, marks: Marks) -> str:
    free = len(places) == 1 and rule.elements[places[0] - 1].need != "M" and not any(places[0] in each.places for each in rule.relations)
    if free and there:
        return f"{marks.element}(?>{_value(rule.elements[places[0] - 1], marks)}|)"
    return "".join(marks.element + (_value(rule.elements[place - 1], marks) if place in there else "") for place in places)


def _value(rule: ElementRule, marks: Marks) -> str:
    """What an element that is there may hold, not all of it, and nothing that it may not."""
    match rule.kind:
        case "R" | "N0" | "N2":
            return f"{marks.minus}[0-9]{{1,{rule.longest}}}+"
        case "DT":
            return _DATE if rule.longest >= 8 else _NEVER
        case "TM":
            return _TIME.format(more=min(rule.longest, 8) - 6) if rule.longest >= 6 else "(?:[01][0-9]|2[0-3])[0-5][0-9]"
        case "COMP" if marks.nested:
            return _nested(rule, 0, marks)
        case "COMP":
            first, *others = rule.components
            return _NEVER if any(part.need == "M" for part in others) else _value(first, marks)
    return _text(rule, marks)


def _nested(rule: ElementRule, at: int, marks: Marks) -> str:
    """The components of a composite from one on; it may end where no later one must be there."""
    part = rule.components[at]
    value = _value(part, marks)
    filled = part.need == "M" or (at == 0 and rule.need == "M")
    own = value if filled else f"(?>{value}|)"
    if at + 1 == len(rule.components):
        return own
    rest = marks.component + _nested(rule, at + 1, marks)
    must = any(later.need == "M" for later in rule.components[at + 1 :])
    return own + (rest if must else f"(?:{rest}|)")


def _text(rule: ElementRule, marks: Marks) -> str:
    if rule.codes is not None:
        return _one_of(code for code in rule.codes if rule.shortest <= len(code) <= rule.longest and code.isalnum())
    if rule.shortest == 1:  # a value of blanks counts as empty, and blanks at its end do not count
        return marks.blackened + (f"{marks.printed}{{0,{rule.longest - 1}}}+" if rule.longest > 1 else "")
    least = f"{rule.shortest}," if rule.shortest < rule.longest else ""
    return f"{marks.blackened}{{{least}{rule.longest}}}+"


def _one_of(codes: Iterable[str]) -> str:
    """The codes as a tree by their first characters, so that the engine does not try them one by one."""
    branches: dict[str, list[str]] = {}
    ends = False
    for code in sorted(codes):
        ends = ends or not code
        if code:
            branches.setdefault(code[0], []).append(code[1:])
    single = "".join(first for first, rest in branches.items() if rest == [""])
    texts = [first + _one_of(rest) for first, rest in branches.items() if rest != [""]]
    texts += [f"[{single}]"] if len(single) > 1 else [single] if single else []
    if not texts:
        return "" if ends else _NEVER
    text = "|".join([*texts, ""] if ends else texts)
    return f"(?>{text})" if len(texts) > 1 or ends else text


def _escaped(raw: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in raw)


def _class(members: bytes) -> str:
    """A class written as ranges: a pattern holds hundreds of them."""
    starts = [byte for byte in members if byte - 1 not in members]
    ends = [byte for byte in members if byte + 1 not in members]
    return "[" + "".join(f"\\x{start:02x}-\\x{end:02x}" for start, end in zip(starts, ends, strict=True)) + "]"
