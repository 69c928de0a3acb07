"""CONTRL and APERAK, both ways."""

from edifact_cases import RECEIPT, envelope, events, flat, messages_of

from gateway.edi import edifact, edifact_answers


def answer(data, **changes):
    """The CONTRL for a file, read by our own reader."""
    told = events(data)
    results = [edifact_answers.result_of(event) for event in told if isinstance(event, edifact.Message)]
    body = edifact_answers.write_contrl(told[0].header, results, [*told[0].findings, *told[-1].findings])
    return send(body, "CONTRL:D:3:UN", **changes)


def send(body, identifier, **changes):
    header = envelope(sender="NORTHPEAK", recipient="CEDARWMS", control="460", **changes)
    (message,) = messages_of(edifact.write_interchange(header=header, messages=[("1", identifier, body)]))
    assert message.findings == []
    return message


def lines(message):
    return ["+".join([s.tag, *(":".join(element) for element in s.elements)]) for s in message.segments[1:-1]]


def test_it_acknowledges_a_good_interchange():
    message = answer(flat())
    assert lines(message) == ["UCI+2208+CEDARWMS:ZZ+NORTHPEAK:ZZ+7"]
    said = edifact_answers.read_contrl(message)
    assert (said.control, said.sender, said.recipient, said.action, said.messages) == ("2208", "CEDARWMS", "NORTHPEAK", "7", ())
    assert said.action_for("1") == "7"


def test_it_rejects_one_message_with_the_place_of_every_fault():
    bad = RECEIPT.replace("QTY+12:2", "QTY+12:TWO").replace("NAD+SU+NORTHPEAK::92\nNAD+DP+DC04::92\n", "")
    message = answer(flat(RECEIPT, bad))
    assert lines(message) == ["UCI+2208+CEDARWMS:ZZ+NORTHPEAK:ZZ+7", "UCM+2+RECADV:D:96A:UN+4", "UCS+7+13", "UCS+10", "UCD+37+2:2"]
    said = edifact_answers.read_contrl(message)
    assert said.action_for("1") == "7" and said.action_for("2") == "4"
    assert said.messages[0].reasons == ("Segment 7: Missing", "Segment 10, element 01 component 2: Invalid type of character(s)")


def test_it_rejects_an_interchange_with_a_broken_envelope():
    message = answer(flat().replace(b"UNZ+1+2208", b"UNZ+1+2209"))
    assert lines(message) == ["UCI+2208+CEDARWMS:ZZ+NORTHPEAK:ZZ+4+28"]
    said = edifact_answers.read_contrl(message)
    assert said.action_for("1") == "4" and len(said.reasons) == 1


def test_it_rejects_a_message_whose_count_is_wrong():
    message = answer(flat().replace(b"UNT+20+", b"UNT+19+"))
    assert lines(message)[1] == "UCM+1+RECADV:D:96A:UN+4+29"


def test_it_says_that_an_interchange_has_come():
    body = edifact_answers.write_receipt(events(flat())[0].header)
    said = edifact_answers.read_contrl(send(body, "CONTRL:D:3:UN"))
    assert said.action == said.action_for("1") == "8"


ANSWER = edifact_answers.ApplicationAnswer(
    "APE1",
    "20260721",
    (("ACW", "2208"), ("ALQ", "R8675399")),
    (edifact_answers.ApplicationError("42", "RA number not known? Really: 'R8675399'", ("LI", "1")), edifact_answers.ApplicationError("12")),
)


def test_it_writes_an_aperak_and_reads_it_back():
    message = send(edifact_answers.write_aperak(ANSWER), "APERAK:D:96A:UN")
    assert edifact_answers.read_aperak(message) == ANSWER


def test_it_writes_an_acceptance_and_cuts_long_texts():
    good = edifact_answers.ApplicationAnswer("APE2", "202607211612", (("ACW", "1"),))
    assert edifact_answers.read_aperak(send(edifact_answers.write_aperak(good), "APERAK:D:01B:UN")) == good
    long = edifact_answers.ApplicationAnswer("A", "20260721", errors=(edifact_answers.ApplicationError("1", "x" * 900),))
    (error,) = edifact_answers.read_aperak(send(edifact_answers.write_aperak(long), "APERAK:D:96A:UN")).errors
    assert error.text == "x" * 350
