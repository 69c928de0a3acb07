"""No value leaves that is too long, of the wrong type or not in its list; texts of shops are folded, and what is refused is named."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.documents import Authorization, AuthorizationLine
from gateway.edi import x12
from gateway.mapping import outbound
from gateway.mapping.profiles import read_profile

AT = datetime(2026, 3, 10, 14, 5, tzinfo=UTC)
TEMPLATE = (Path(__file__).resolve().parents[3] / "templates" / "856.x12.j2").read_text(encoding="utf-8")


def profile(more="", receive=""):
    return read_profile(
        f'partner = "JUNIPER"\nname = "J"\n[x12]\npartner_id = "JUNIPER3PL"\nour_id = "ACMESHOES"\n{more}\n[receive]\n{receive}\n'
        '[receive.x12_receipt]\ndamaged_quantity = "included"\n',
        source="a test",
    )


def authorization(**changes):
    line = {
        "line_no": 1, "sku": "SHOE-1", "upc": "614145550011", "title": "Shoe", "quantity": 2, "unit_ids": (), "value": Decimal(10), "tax": Decimal(0)
    }  # fmt: skip
    line.update({name: changes.pop(name) for name in list(changes) if name in line})
    given = {
        "ra": "RA7", "rma": "7", "version": 1, "partner": "JUNIPER", "warehouse": "DC02", "order_id": "1", "order_name": "#1001", "currency": "USD",
        "created_at": AT, "lines": (AuthorizationLine(**line),),
    }  # fmt: skip
    return Authorization(**{**given, **changes})


def send(ra, template=TEMPLATE, **options):
    return outbound.to_x12(
        [ra],
        profile=options.pop("profile", profile()),
        template=template,
        controls=outbound.Controls(interchange=1, group=1),
        purpose="original",
        at=AT,
    )


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("PRF*{{ ra.order_name|replace('#', '') }}", "PRF*{{ 'X' * 23 }}", "PRF"),
        ("DTM*011*{{ created_at.strftime('%Y%m%d') }}", "DTM*011*10.3.2026", "DTM"),
        ("*EA", "*EACH", "SN1"),
    ],
)
def test_it_sends_no_value_against_its_table(old, new, place):
    assert old in TEMPLATE
    with pytest.raises(outbound.UnsendableError, match=place):
        send(authorization(), TEMPLATE.replace(old, new))


def test_it_sends_what_the_partner_agreed_to():
    agreed = profile(receive='waived = ["x12.element-long:PRF-01"]')
    assert b"X" * 23 in send(authorization(order_name="X" * 23), profile=agreed)


def test_it_folds_or_refuses_what_x12_cannot_carry():
    assert b"PID*F****SKO RD A B" in send(authorization(title="Sko*röd~A>B".upper().replace("Ö", "")))
    with pytest.raises(outbound.UnsendableError, match="must not get"):
        send(authorization(title="A*B"), profile=profile('[send]\nforbidden = "refuse"'))


def test_it_runs_templates_in_a_sandbox_that_remembers_nothing_unsafe():
    for text in ("{{ ra.__class__ }}", "{{ ra.lines.__class__.__mro__ }}", "{{ '{0.__class__}'.format(ra) }}", "{{ ra.ra.__class__ }}"):
        for _ in range(2):
            with pytest.raises(outbound.UnsendableError):
                send(authorization(), TEMPLATE + text)


texts = st.text(max_size=40)


@given(texts, texts, texts, st.sampled_from(["*>~", "|^!", ":<\n", "+:'"]), st.integers(1, 99999))
@settings(max_examples=80, deadline=None)
def test_it_sends_what_reads_back_as_meant_or_says_why_not(title, order_name, warehouse, marks, quantity):
    own = profile("\n".join(f"{name} = {json.dumps(mark)}" for name, mark in zip(("element", "component", "terminator"), marks, strict=True)))
    try:
        data = send(authorization(title=title, order_name=order_name, warehouse=warehouse, quantity=quantity), profile=own)
    except outbound.UnsendableError:
        return
    (document,) = [event for event in x12.read_sets([data]) if isinstance(event, x12.TransactionSet)]
    assert document.accepted and ["SN1", "1", str(quantity), "EA"] in document.plain()
