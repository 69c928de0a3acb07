"""pydifact as a second opinion: it reads what we write as the same segments, and we read what it writes."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydifact.segmentcollection import RawSegmentCollection

from gateway.edi import edifact
from tests.properties.test_edifact import RECEIPT, bodies, contents, write

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # it has no directory of most segments, and says so


def as_pydifact_tells(elements):
    """An element of one component is a string there, of several a list."""
    return [parts[0] if len(parts) == 1 else list(parts) for parts in elements]


def read_with_pydifact(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [[segment.tag, *segment.elements] for segment in RawSegmentCollection.from_str(data.decode("latin-1")).segments]


@given(st.lists(bodies, max_size=2), st.booleans())
@settings(deadline=None, max_examples=60)
def test_it_reads_what_we_wrote_as_we_meant_it(each_body, line_break):
    segments = read_with_pydifact(write(each_body, line_break=line_break))
    inside = [segment for segment in segments if segment[0] not in ("UNA", "UNB", "UNH", "UNT", "UNZ")]
    assert inside == [[tag, *as_pydifact_tells(elements)] for body in each_body for tag, *elements in body]
    assert [segment[1] for segment in segments if segment[0] == "UNT"] == [str(len(body) + 2) for body in each_body]


def test_we_read_what_it_wrote():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collection = RawSegmentCollection.from_str(write([RECEIPT, RECEIPT], line_break=False).decode("latin-1"))
        text = collection.serialize()
    events = list(edifact.read_messages([text.encode("latin-1")]))
    assert contents(events) == [[[tag, *inside] for tag, *inside in RECEIPT]] * 2 and events[-1].accepted
