"""Every fault an EDIFACT envelope can have: its code, gravity, reach, CONTRL code (0085), words and remedy.

`{found}` and `{expected}` are filled in where the fault is seen. A new line here needs a test of its own.
"""

from typing import NamedTuple

from gateway.edi.syntax import Finding, Scope, Severity


class _Fault(NamedTuple):
    severity: Severity
    scope: Scope
    ack_kind: str | None
    ack: str | None
    message: str
    remedy: str


_N, _E = Severity.NOTE, Severity.ERROR
_MESSAGE, _GROUP, _WHOLE, _FILE = Scope.SET, Scope.GROUP, Scope.INTERCHANGE, Scope.FILE
_RESEND = "Ask the sender to correct the file and to send it again."
_CUT = "The file may have been cut off on its way, or its upload is still running: ask the sender to send it again."
_TELL = "Tell the sender; it was read."

FAULTS = {
    "edifact.empty": _Fault(_N, _FILE, None, None, "The file is empty.", "Nothing to do; ask the sender if a document was expected."),
    "edifact.not-edi": _Fault(
        _E, _FILE, None, None, "This is no EDIFACT file: it has no UNB segment. It begins with {found}.", "Check what the sender put into the folder."
    ),
    "edifact.x12": _Fault(_E, _FILE, None, None, "This is an X12 file, not EDIFACT.", "Set the partner's profile to X12."),
    "edifact.headless": _Fault(
        _E,
        _FILE,
        None,
        None,
        "{found} bytes of EDIFACT segments stand outside every interchange: there is no UNB in front of them, so they were not read.",
        "Ask the sender to send the document with its UNB and UNZ segments.",
    ),
    "edifact.garbage": _Fault(
        _N, _FILE, None, None, "{found} bytes outside every interchange were skipped.", "Nothing to do if the documents are all there."
    ),
    "edifact.unb-unreadable": _Fault(
        _E, _FILE, None, None, "An interchange begins here, but its UNB cannot be read with the service characters; found {found}.", _RESEND
    ),
    "edifact.una-terminator": _Fault(
        _N, _WHOLE, None, None, "UNA names {found} as segment terminator, but the segments end with {expected}; they were read so.", _TELL
    ),
    "edifact.delimiters-equal": _Fault(_E, _WHOLE, "UCI", "18", "Two of the service characters are the same ({found}).", _RESEND),
    "edifact.syntax-unknown": _Fault(_N, _WHOLE, "UCI", "2", "The syntax {found} of the UNB is not known; it was read as UNOC.", _TELL),
    "edifact.unb-element": _Fault(_E, _WHOLE, "UCI", "13", "The UNB has no {expected}.", _RESEND),
    "edifact.character-set": _Fault(
        _N, _WHOLE, "UCI", "21", "There are characters that {expected} has not; the first text that has some was read as {found}.", _TELL
    ),
    "edifact.tag-case": _Fault(_N, _WHOLE, None, None, "Segment tags are not in capital letters; they were read as if they were.", "Nothing to do."),
    "edifact.segment-endless": _Fault(_E, _WHOLE, "UCI", "18", "No segment terminator in more than {found} bytes.", _RESEND),
    "edifact.segment-outside": _Fault(_E, _WHOLE, "UCI", "18", "{found} segments stand outside every message and were not read.", _RESEND),
    "edifact.unh-missing": _Fault(_E, _WHOLE, "UCI", "13", "{found} segments end with a UNT, but no UNH begins them; they were not read.", _RESEND),
    "edifact.unz-missing": _Fault(_E, _WHOLE, "UCI", "13", "The interchange {expected} has no UNZ segment: the file ends early.", _CUT),
    "edifact.unz01-count": _Fault(_E, _WHOLE, "UCI", "29", "UNZ says {found} messages or groups; {expected} were counted.", _RESEND),
    "edifact.unz02-reference": _Fault(_E, _WHOLE, "UCI", "28", "The interchange references differ: UNB has {expected}, UNZ {found}.", _RESEND),
    "edifact.ung-repeated": _Fault(_N, _GROUP, "UCF", "26", "The group reference {found} was already used in this interchange.", _TELL),
    "edifact.une-missing": _Fault(_E, _GROUP, "UCF", "13", "The group {expected} has no UNE segment.", _CUT),
    "edifact.ung-missing": _Fault(_E, _WHOLE, "UCI", "13", "A UNE segment stands outside every group: its UNG is missing.", _RESEND),
    "edifact.ungrouped": _Fault(_N, _WHOLE, None, None, "The interchange has groups and messages outside them; all were read.", _TELL),
    "edifact.une01-count": _Fault(_E, _GROUP, "UCF", "29", "UNE says {found} messages; {expected} were counted.", _RESEND),
    "edifact.une02-reference": _Fault(_E, _GROUP, "UCF", "28", "The group references differ: UNG has {expected}, UNE {found}.", _RESEND),
    "edifact.unh-element": _Fault(_E, _MESSAGE, "UCM", "13", "The UNH has no {expected}.", _RESEND),
    "edifact.unh-repeated": _Fault(
        _N, _MESSAGE, "UCM", "26", "The message reference {found} was already used in this interchange.", "Tell the sender; the message is used."
    ),
    "edifact.unt-missing": _Fault(_E, _MESSAGE, "UCM", "13", "The message {expected} has no UNT segment; {found} segments were read.", _CUT),
    "edifact.unt01-count": _Fault(_E, _MESSAGE, "UCM", "29", "UNT says {found} segments; {expected} were counted.", _RESEND),
    "edifact.unt02-reference": _Fault(_E, _MESSAGE, "UCM", "28", "The message references differ: UNH has {expected}, UNT {found}.", _RESEND),
    "edifact.message-unknown": _Fault(
        _N, _MESSAGE, "UCM", "14", "There is no table for the message {found}; its inside was not checked.",
        "Check with the partner whether this document is meant for the gateway.",
    ),
    "edifact.version-nearest": _Fault(
        _N, _MESSAGE, None, None, "There is no table for directory {found}; the message was checked as {expected}.",
        "Nothing to do; agree on D.96A or D.01B if checks fail for this reason.",
    ),
    "edifact.cnt-lines": _Fault(_N, _MESSAGE, None, None, "CNT says {found} lines; {expected} were counted.", "Ask the sender if a line is missing."),
}  # fmt: skip


def fault(  # noqa: PLR0913 - the position has six parts, all of them optional
    code: str,
    *,
    found: object = "",
    expected: object = "",
    offset: int = 0,
    segment: int | None = None,
    tag: str | None = None,
    element: int | None = None,
    component: int | None = None,
) -> Finding:
    """The finding for an envelope fault."""
    entry = FAULTS[code]
    shown = "nothing" if found == "" else str(found)[:99]
    return Finding(
        code=code,
        severity=entry.severity,
        scope=entry.scope,
        message=entry.message.format(found=shown, expected=expected),
        remedy=entry.remedy,
        offset=offset,
        segment=segment,
        tag=tag,
        element=element,
        component=component,
        value=str(found)[:99] if element and found != "" else None,
        ack=entry.ack,
        ack_kind=entry.ack_kind,
    )
