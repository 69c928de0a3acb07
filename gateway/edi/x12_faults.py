"""Every fault an X12 envelope can have: one line each with its code, gravity, reach, acknowledgement code, words and remedy.

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
_SET, _GROUP, _WHOLE, _FILE = Scope.SET, Scope.GROUP, Scope.INTERCHANGE, Scope.FILE
_RESEND = "Ask the sender to correct the file and to send it again."
_CUT = "The file may have been cut off on its way, or its upload is still running: ask the sender to send it again."

FAULTS = {
    "x12.empty": _Fault(_N, _FILE, None, None, "The file is empty.", "Nothing to do; ask the sender if a document was expected."),
    "x12.not-edi": _Fault(
        _E, _FILE, None, None, "This is no X12 file: it has no ISA segment. It begins with {found}.", "Check what the sender put into the folder."
    ),
    "x12.edifact": _Fault(_E, _FILE, None, None, "This is an EDIFACT file, not X12.", "Set the partner's profile to EDIFACT."),
    "x12.headless": _Fault(
        _E,
        _FILE,
        None,
        None,
        "{found} bytes of X12 segments stand outside every interchange: there is no ISA in front of them, so they were not read.",
        "Ask the sender to send the document with its ISA and IEA segments.",
    ),
    "x12.garbage": _Fault(
        _N, _FILE, None, None, "{found} bytes outside every interchange were skipped.", "Nothing to do if the documents are all there."
    ),
    "x12.isa-unreadable": _Fault(
        _E,
        _FILE,
        None,
        None,
        "An ISA segment begins here, but its envelope cannot be read: expected 16 elements and a segment terminator, found {found}.",
        _RESEND,
    ),
    "x12.isa-unpadded": _Fault(
        _N, _WHOLE, None, None, "The ISA is not padded to its fixed 105 bytes; it was read by its separators.", "Tell the sender to pad the ISA."
    ),
    "x12.terminator-multibyte": _Fault(
        _N,
        _WHOLE,
        None,
        None,
        "The segment terminator is a character of {found} bytes; the file was probably converted from another encoding.",
        "Tell the sender to send the file as it was made.",
    ),
    "x12.delimiters-equal": _Fault(_E, _WHOLE, "TA1", "026", "Two of the delimiters are the same character ({found}).", _RESEND),
    "x12.isa-delimiter": _Fault(_E, _WHOLE, "TA1", "022", "{found} of the ISA holds the segment terminator: the ISA is damaged.", _RESEND),
    "x12.isa13-format": _Fault(
        _N, _WHOLE, "TA1", "018", "ISA13 should be nine digits; found {found}.", "Tell the sender; the number is used as it stands."
    ),
    "x12.segment-endless": _Fault(_E, _WHOLE, "TA1", "022", "No segment terminator in more than {found} bytes.", _RESEND),
    "x12.tag-case": _Fault(_N, _WHOLE, None, None, "Segment ids are not in capital letters; they were read as if they were.", "Nothing to do."),
    "x12.iea-missing": _Fault(_E, _WHOLE, "TA1", "023", "The interchange {expected} has no IEA segment: the file ends early.", _CUT),
    "x12.iea02-control": _Fault(_E, _WHOLE, "TA1", "001", "The interchange control numbers differ: ISA13 is {expected}, IEA02 is {found}.", _RESEND),
    "x12.iea01-count": _Fault(_E, _WHOLE, "TA1", "021", "IEA01 says {found} groups; {expected} were counted.", _RESEND),
    "x12.group-missing": _Fault(_E, _WHOLE, "TA1", "024", "A {found} segment stands outside every group: its GS segment is missing.", _RESEND),
    "x12.segment-outside": _Fault(_E, _GROUP, None, None, "{found} segments stand outside every transaction set and were not read.", _RESEND),
    "x12.st-missing": _Fault(_E, _GROUP, None, None, "{found} segments end with an SE, but no ST begins them; they were not read.", _RESEND),
    "x12.ge-missing": _Fault(_E, _GROUP, "AK9", "3", "The group {expected} has no GE segment.", _CUT),
    "x12.ge01-count": _Fault(_E, _GROUP, "AK9", "5", "GE01 says {found} transaction sets; {expected} were counted.", _RESEND),
    "x12.ge02-control": _Fault(_E, _GROUP, "AK9", "4", "The group control numbers differ: GS06 is {expected}, GE02 is {found}.", _RESEND),
    "x12.gs06-repeated": _Fault(
        _N, _GROUP, "AK9", "19", "The group control number {found} was already used in this interchange.", "Tell the sender to number groups anew."
    ),
    "x12.gs01-mismatch": _Fault(
        _N,
        _SET,
        None,
        None,
        "GS01 is {found}, but a {expected}.",
        "Nothing to do: the set is read by its ST01. Tell the sender to correct GS01.",
    ),
    "x12.st01-format": _Fault(_E, _SET, "AK5", "6", "ST01 should be a set id of three characters; found {found}.", _RESEND),
    "x12.st02-format": _Fault(
        _N, _SET, "AK5", "7", "ST02 should be a control number of 4 to 9 characters; found {found}.", "Tell the sender; the set is used."
    ),
    "x12.st02-repeated": _Fault(
        _N, _SET, "AK5", "23", "The set control number {found} was already used in this group.", "Tell the sender; the set is used."
    ),
    "x12.se-missing": _Fault(_E, _SET, "AK5", "2", "The set {expected} has no SE segment; {found} segments were read.", _CUT),
    "x12.se01-count": _Fault(_E, _SET, "AK5", "4", "SE01 says {found} segments; {expected} were counted.", _RESEND),
    "x12.se02-control": _Fault(_E, _SET, "AK5", "3", "The set control numbers differ: ST02 is {expected}, SE02 is {found}.", _RESEND),
}


def fault(  # noqa: PLR0913 - the position has five parts, all of them optional
    code: str,
    *,
    found: object = "",
    expected: object = "",
    offset: int = 0,
    segment: int | None = None,
    tag: str | None = None,
    element: int | None = None,
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
        value=str(found)[:99] if element and found != "" else None,
        ack=entry.ack,
        ack_kind=entry.ack_kind,
    )
