"""The words for what is wrong inside a set: one entry for each AK304 and AK403 code, with the finding's stable code."""

from gateway.edi.dictionary_elements import BadElement
from gateway.edi.dictionary_tables import ElementRule
from gateway.edi.dictionary_walk import Misplaced

_SEGMENTS = {
    "1": ("x12.segment-unknown", "There is no segment {tag} in version {version}.", "Ask the sender to correct the segment id."),
    "2": (
        "x12.segment-unexpected",
        "The segment {tag} belongs to a part of the {set} that was not begun.",
        "Ask the sender to send the segment it belongs to in front of it.",
    ),
    "3": (
        "x12.segment-missing",
        "A {set} must have a segment {tag}; it was expected at position {ordinal}, where {instead} stands.",
        "Ask the sender to add it, or waive this in the profile when it is always left out.",
    ),
    "4": ("x12.loop-repeat", "The loop that begins with {tag} comes more often than a {set} allows.", "Tell the sender; it was read."),
    "5": ("x12.segment-repeat", "The segment {tag} comes more often than a {set} allows at this place.", "Tell the sender; it was read."),
    "6": ("x12.segment-foreign", "The segment {tag} is not part of a {set} in version {version}.", "Tell the sender."),
    "7": ("x12.segment-place", "The segment {tag} stands too late in the {set}: its place was already passed.", "Tell the sender."),
}

_ELEMENTS = {
    "1": ("x12.element-missing", "{place} must be filled and is empty.", "Ask the sender to fill it."),
    "2": ("x12.element-conditional", "{place} is empty, though {others}.", "Ask the sender to fill what belongs together."),
    "3": ("x12.elements-surplus", "{place} is one more than the segment has; found {value}.", "Tell the sender."),
    "4": ("x12.element-short", "{place} must have at least {shortest} characters; {value} has {length}.", "Ask the sender to correct it."),
    "5": ("x12.element-long", "{place} may have at most {longest} {characters}; {value} has {length}.", "Ask the sender to shorten it."),
    "6": ("x12.element-character", "{place} must be {kind}; found {value}.", "Ask the sender to correct it."),
    "7": ("x12.element-code", "{place} must be a code of list {number}; {value} is not in it.", "Ask the sender which code is meant."),
    "8": ("x12.element-date", "{place} must be a date as CCYYMMDD; found {value}.", "Ask the sender to correct the date."),
    "9": ("x12.element-time", "{place} must be a time as HHMM or HHMMSS; found {value}.", "Ask the sender to correct the time."),
    "12": ("x12.element-repeated", "{place} may stand only once, and is repeated; found {value}.", "Ask the sender to send one value."),
    "10": ("x12.element-exclusive", "{place} may not stand here because {others}; found {value}.", "Ask the sender to leave one out."),
}
SEGMENT_CODES = {ack: entry[0] for ack, entry in _SEGMENTS.items()}
ELEMENT_CODES = {ack: entry[0] for ack, entry in _ELEMENTS.items()}

_KINDS = {"R": "a number", "N0": "a whole number", "N2": "a whole number", "AN": "printable text", "ID": "printable text"}


def segment_words(one: Misplaced, set_id: str, instead: str, version: str) -> tuple[str, str, str]:
    """Code, message and remedy for a segment that is missing or stands wrong."""
    code, message, remedy = _SEGMENTS[one.code]
    words = {"tag": one.tag, "set": set_id, "version": version, "ordinal": one.ordinal, "instead": instead}
    return code, message.format(**words), remedy


def element_words(tag: str, bad: BadElement, name: str | None) -> tuple[str, str, str]:
    """Code, message and remedy for a bad element."""
    code, message, remedy = _ELEMENTS[bad.code]
    part = f" component {bad.component}" if bad.component else ""
    rule = bad.rule or ElementRule("", "", "AN", 0, 0, None, ())
    numeric = rule.kind in _KINDS and _KINDS[rule.kind].endswith("number")
    words = {
        "place": f"{tag}-{bad.element:02d}{part}" + (f" ({name})" if name else ""),
        "value": ascii(bad.value[:99]) if not bad.value.isprintable() else f"'{bad.value[:99]}'",
        "shortest": rule.shortest,
        "longest": rule.longest,
        "length": sum(character.isdigit() for character in bad.value) if numeric else len(bad.value),
        "characters": "digits" if numeric else "characters",
        "kind": _KINDS.get(rule.kind, "printable text"),
        "number": rule.number,
        "others": _others(tag, bad),
    }
    return code, message.format(**words), remedy


def _others(tag: str, bad: BadElement) -> str:
    if not bad.others:
        return "one of the elements that belong together must be filled"
    return " and ".join(f"{tag}-{place:02d}" for place in bad.others) + " is filled"
