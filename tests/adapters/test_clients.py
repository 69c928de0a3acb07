"""The clients of Loop and Shopify against the simulator: paging, pacing, and what an answer is taken for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from gateway.clients.loop import BadReturn, Loop, UnknownReturnError, read_entry
from gateway.clients.session import AccessDeniedError, InsecureAddressError, Kind, Pacer, Session
from gateway.clients.shopify import Bucket, MissingScopeError, NotVisibleError, Shopify, fetch_access_token
from gateway.clients.shopify_queries import DOCUMENTS
from gateway.domain.documents import Return
from gateway.errors import TemporaryError
from gateway.simulator.clock import SimClock
from gateway.simulator.server import Simulator
from gateway.simulator.world import World, harbor_and_pine, open_known_return

FROM = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Watch:
    """A monotonic clock that only sleeping moves."""

    at: float = 100.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        """The time."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.at += seconds


@pytest.fixture
def watch() -> Watch:
    """The clock of pacing."""
    return Watch()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """The services."""
    with Simulator(harbor_and_pine(World(SimClock()))) as running:
        yield running


def session(simulator: Simulator, watch: Watch, *, service: str = "Loop", key: str | None = None, limit: int = 1000, answer: float = 5.0) -> Session:
    """A session with one of the services."""
    pacer = Pacer(limit, 60.0, watch.now, watch.sleep)
    if service == "Loop":
        return Session("Loop", simulator.loop_url, {"X-Authorization": key or simulator.loop_key}, pacer, 5.0, answer)
    return Session("Shopify", simulator.shopify_url, {"X-Shopify-Access-Token": key or simulator.shopify_token}, pacer, 5.0, answer)


@pytest.fixture
def loop(simulator: Simulator, watch: Watch) -> Loop:
    """Loop's client."""
    return Loop(session(simulator, watch))


@pytest.fixture
def shopify(simulator: Simulator, watch: Watch) -> Shopify:
    """Shopify's client."""
    return Shopify(session=session(simulator, watch, service="Shopify"), bucket=Bucket(watch.now, watch.sleep))


def until(simulator: Simulator) -> datetime:
    """A moment after everything."""
    return simulator.world.clock.now() + timedelta(seconds=5)


def test_it_reads_every_page_with_its_own_parameters(loop: Loop, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.clients.loop.PAGE_SIZE", 3)
    for number in range(10):
        simulator.world.open_return(900 + number, "#1001", [(9000 + number, "TEE-BLK-M")], 501)
    start = until(simulator) - timedelta(days=100)
    pages = list(loop.list_returns(start=start, end=until(simulator), state=None))
    found = {entry.rma for page in pages for entry in page}
    assert found == {str(900 + n) for n in range(10)}
    asked = simulator.calls.all("list")
    assert len(asked) >= 4
    assert all("paginate=true" in str(call.query) or call.query.get("paginate") for call in asked)


def test_it_refuses_plain_http_to_other_machines(watch: Watch) -> None:
    with pytest.raises(InsecureAddressError, match="not https"):
        Session("Loop", "http://api.loopreturns.com", {}, Pacer(1, 1, watch.now, watch.sleep))


def test_it_waits_for_a_free_place_in_the_minute(loop: Loop, simulator: Simulator, watch: Watch) -> None:
    loop.session.pacer.limit = 5
    for _ in range(12):
        loop.list_destinations()
    assert len(watch.slept) == 2
    assert all(0 < pause <= 60 for pause in watch.slept)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "status": 429}, Kind.NOT_DONE),
        ({"kind": "status", "status": 500}, Kind.UNCLEAR),
        ({"kind": "status", "status": 503}, Kind.UNCLEAR),
        ({"kind": "html"}, Kind.UNCLEAR),
        ({"kind": "cut_json"}, Kind.UNCLEAR),
        ({"kind": "drop_after_effect"}, Kind.UNCLEAR),
        ({"kind": "drop_before"}, Kind.UNCLEAR),
        ({"kind": "error_body", "body": {"message": "Return is cancelled and therefore cannot be processed."}}, Kind.REFUSED),
        ({"kind": "error_body", "body": {"errors": {"message": "no", "code": "UNPROCESSABLE_RETURN"}}}, Kind.REFUSED),
        ({"kind": "error_body", "body": {"errors": {"message": "sorry", "code": "UNEXPECTED_ERROR"}}}, Kind.UNCLEAR),
        ({"kind": "error_body", "body": {}}, Kind.REFUSED),
        ({"kind": "error_body", "body": "true"}, Kind.ACCEPTED),
        (None, Kind.ACCEPTED),
    ],
)
def test_it_judges_a_write_by_its_body_and_never_takes_silence_for_an_answer(
    loop: Loop, simulator: Simulator, fault: dict[str, object] | None, kind: Kind
) -> None:
    open_known_return(simulator.world, 77000001)
    if fault:
        simulator.faults.add(service="loop", match="process", **fault)  # type: ignore[arg-type]
    assert loop.process_return("77000001", {"RA": "RA77000001"}).kind == kind


def test_it_knows_that_a_refused_connection_did_nothing(watch: Watch) -> None:
    nowhere = Session("Loop", "http://127.0.0.1:9", {}, Pacer(9, 60, watch.now, watch.sleep), 1.0, 1.0)
    assert Loop(nowhere).flag_return("1").kind == Kind.NOT_DONE


def test_it_gives_up_on_an_answer_that_does_not_come(simulator: Simulator, watch: Watch) -> None:
    simulator.faults.add("slow", service="loop", match="flag", seconds=1.5)
    open_known_return(simulator.world, 77000001)
    assert Loop(session(simulator, watch, answer=0.2)).flag_return("77000001").kind == Kind.UNCLEAR


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 503}, {"kind": "html"}, {"kind": "cut_json"}])
def test_it_calls_a_failed_read_temporary(loop: Loop, simulator: Simulator, fault: dict[str, object]) -> None:
    simulator.faults.add(service="loop", match="details", **fault)  # type: ignore[arg-type]
    open_known_return(simulator.world, 77000001)
    with pytest.raises(TemporaryError):
        loop.return_details("77000001")
    assert loop.return_details("77000001").rma == "77000001"


def test_it_waits_out_too_many_requests(loop: Loop, simulator: Simulator, watch: Watch) -> None:
    open_known_return(simulator.world, 77000001)
    simulator.faults.add("status", service="loop", match="details", status=429, retry_after=7, times=2)
    assert loop.return_details("77000001").rma == "77000001"
    assert watch.slept == [7.0, 7.0]


def test_it_tells_a_wrong_key_in_words(simulator: Simulator, watch: Watch) -> None:
    with pytest.raises(AccessDeniedError, match="the key is wrong, or it lacks a scope"):
        Loop(session(simulator, watch, key="wrong")).return_details("77000001")
    with pytest.raises(UnknownReturnError, match="Loop knows no return 1"):
        Loop(session(simulator, watch)).return_details("1")


def test_it_reads_the_same_return_from_list_and_details(loop: Loop, simulator: Simulator) -> None:
    open_known_return(simulator.world, 77000002)
    (page,) = list(loop.list_returns(start=until(simulator) - timedelta(days=2), end=until(simulator), state=None))
    (listed,) = page
    detailed = loop.return_details("77000002")
    assert isinstance(listed, Return)
    assert (listed.rma, listed.order_id, listed.state, [u.line_item_id for u in listed.units]) == (
        detailed.rma,
        detailed.order_id,
        detailed.state,
        [u.line_item_id for u in detailed.units],
    )
    assert str(listed.exchange_credit) == "129.60"


@pytest.mark.parametrize("missing", ["state", "provider_order_id", "order_name", "created_at", "line_items"])
def test_a_missing_field_stops_that_return_only_and_is_named(missing: str) -> None:
    entry: dict[str, object] = {
        "id": 5, "state": "open", "provider_order_id": 1, "order_name": "#1", "created_at": "2026-03-02 14:07:31", "updated_at": "2026-03-02T14:07:31Z",
        "line_items": [], "something_new": {"ignored": True},
    }  # fmt: skip
    assert isinstance(read_entry(dict(entry)), Return)
    del entry[missing]
    bad = read_entry(entry)
    assert isinstance(bad, BadReturn)
    assert (bad.rma, f"`{missing}`" in bad.why) == ("5", True)


def test_it_takes_absent_values_in_all_their_spellings() -> None:
    entry = {
        "id": "5", "state": "open", "provider_order_id": "1", "order_name": "#1", "created_at": "2026-03-02T14:07:31.000Z", "updated_at": "2026-03-02 14:07:31",
        "edited_at": "N/A", "tracking_number": "N/A", "handling_fee": "", "line_items": [{"line_item_id": 7, "sku": None, "return_comment": "N/A", "price": "N/A"}],
    }  # fmt: skip
    found = read_entry(entry)
    assert isinstance(found, Return)
    assert (found.edited_at, found.labels, str(found.handling_fee), found.units[0].sku, found.units[0].comment) == (None, (), "0.00", "", "")
    assert found.updated_at == datetime(2026, 3, 2, 14, 7, 31, tzinfo=UTC)


def test_it_waits_for_the_cost_of_the_next_query(shopify: Shopify, simulator: Simulator, watch: Watch) -> None:
    shopify.check_access()
    shopify.bucket.available, shopify.bucket.rate, shopify.bucket.told_at = 10.0, 50.0, watch.now()
    shopify.bucket.costs["AppSelfCheck"] = 110.0
    shopify.check_access()
    assert watch.slept == [2.0]


def test_it_reads_a_refund_with_more_lines_than_a_page(shopify: Shopify, simulator: Simulator) -> None:
    world = simulator.world
    world.add_order(5000009999, "#9999", [("TEE-BLK-M", 1)] * 35, location=7001)
    lines = world.order("#9999").lines
    world.refund("#9999", lines=[("TEE-BLK-M", 1, "RETURN", {"line_id": line.id}) for line in lines], refund_id=6999999)
    found = shopify.refund("6999999")
    assert len(found.lines) == 35
    assert len({line.key for line in found.lines}) == 35


def test_it_counts_only_successful_fulfilments_as_shipped(shopify: Shopify) -> None:
    order = shopify.order("5000001005")
    assert {line.sku: line.shipped for line in order.lines} == {"HOOD-GRY-M": 1, "CAP-NVY-OS": 0}
    with pytest.raises(NotVisibleError, match="read_all_orders"):
        shopify.order("1")


def test_it_sets_a_quantity_once_however_often_it_is_repeated(shopify: Shopify, simulator: Simulator) -> None:
    level = shopify.levels(["TEE-BLK-M"], location_id="7001")["TEE-BLK-M"]
    assert level.available == 10
    wanted = {"location_id": "7001", "quantities": [(level.item_id, 12, 10)], "reference": "gid://returns-gateway/InventoryExport/1", "key": "k1"}
    assert shopify.set_quantities(**wanted).kind == Kind.ACCEPTED
    assert shopify.set_quantities(**wanted).kind == Kind.ACCEPTED
    stale = shopify.set_quantities(**wanted | {"key": "k2", "quantities": [(level.item_id, 15, 10)]})
    assert (stale.kind, stale.code) == (Kind.REFUSED, "CHANGE_FROM_QUANTITY_STALE")
    assert simulator.world.available("TEE-BLK-M", 7001) == 12


def test_it_names_missing_scopes_and_fetches_tokens(shopify: Shopify, simulator: Simulator, watch: Watch) -> None:
    simulator.shopify_rules.tokens["poor"] = ("read_orders",)
    poor = Shopify(session=session(simulator, watch, service="Shopify", key="poor"), bucket=Bucket(watch.now, watch.sleep))
    with pytest.raises(MissingScopeError, match="write_inventory"):
        poor.check_access()
    simulator.shopify_rules.apps["client"] = "secret"
    bare = Session("Shopify", simulator.shopify_url, {}, Pacer(99, 60, watch.now, watch.sleep))
    by_grant = Shopify(
        session=bare, bucket=Bucket(watch.now, watch.sleep), fetch_token=lambda: fetch_access_token(bare, client_id="client", client_secret="secret")
    )
    assert by_grant.check_access()["shop"]["currencyCode"] == "USD"
    with pytest.raises(AccessDeniedError, match="client id or client secret is wrong"):
        fetch_access_token(bare, client_id="client", client_secret="wrong")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_query_is_valid_and_below_the_cost_of_one_query(shopify: Shopify, simulator: Simulator, name: str) -> None:
    from importlib.resources import files as packaged

    from graphql import build_schema, parse, validate

    schema = build_schema((packaged("gateway.simulator") / "shopify.graphql").read_text())
    assert validate(schema, parse(DOCUMENTS[name])) == []
