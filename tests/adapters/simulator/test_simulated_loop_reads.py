"""Loop's list pages and filters as documented, and its other answers have the documented shapes."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from gateway.simulator.world import World


def pages(ask, **params: object) -> list[dict]:
    """All pages, each asked for with one's own parameters and the cursor of the page before."""
    found, cursor = [], {}
    while True:
        body = ask.list(paginate="true", **params, **cursor).json()
        found.append(body)
        if not body["nextPageUrl"]:
            return found
        cursor = {"cursor": parse_qs(urlsplit(body["nextPageUrl"]).query)["cursor"][0]}


def many(world: World, count: int, at: datetime) -> None:
    for place in range(count):
        world.open_return(1000 + place, "#1001", [(place, "TEE-BLK-M")], 501, created_at=at)


def test_the_list_gives_text_and_the_details_give_numbers(returns: World, ask):
    listed = next(row for row in ask.list().json() if row["id"] == "77000001")
    assert listed["line_items"][0]["line_item_id"] == "810001"
    assert listed["created_at"].endswith(".000Z")
    assert (listed["return_total"], listed["refund"], listed["destination_id"]) == ("140.40", "140.40", "501")
    found = ask.details(77000001)
    assert (found["id"], found["provider_order_id"]) == (77000001, 5000001001)
    assert found["created_at"] == listed["created_at"][:19].replace("T", " ")
    assert found["refunds"] == []


def test_a_unit_is_a_line_without_a_quantity(returns: World, ask):
    lines = ask.details(77000001)["line_items"]
    assert [line["sku"] for line in lines] == ["TEE-BLK-M", "TEE-BLK-M", "HOOD-GRY-M"]
    assert not any("quantity" in line for line in lines)


def test_the_default_states_hide_cancelled_and_review(returns: World, ask):
    returns.cancel(77000001)
    returns.to_review(77000002)
    returns.expire(77000003)
    assert {row["id"] for row in ask.list().json()} == {"77000003", "77000004"}
    assert [row["id"] for row in ask.list(state="cancelled").json()] == ["77000001"]
    assert [row["id"] for row in ask.list(state="review").json()] == ["77000002"]


def test_pages_hold_every_row_once_even_with_ties(world: World, ask):
    at = world.now() - timedelta(hours=1)
    many(world, 23, at)
    start = (at - timedelta(days=1)).isoformat()
    found = pages(ask, **{"from": start, "to": world.now().isoformat(), "pageSize": 5})
    assert [len(page["returns"]) for page in found] == [5, 5, 5, 5, 3]
    assert len({row["id"] for page in found for row in page["returns"]}) == 23


def test_a_long_history_is_paged_through_in_windows(world: World, ask):
    """950 returns over 200 days, 50 a page, every 40th call refused: all of them come, each once."""
    ask.simulator.faults.add("status", status=429, every=40, times=None)
    first = world.now() - timedelta(days=200)
    for place in range(950):
        at = first + timedelta(hours=place * 5)
        world.open_return(1000 + place, "#1001", [(place, "TEE-BLK-M")], 501, created_at=at)
    found = []
    for window in range(2):
        start, cursor = first + timedelta(days=100 * window), {}
        bounds = {"from": start.isoformat(), "to": (start + timedelta(days=100, seconds=-1)).isoformat()}
        while cursor is not None:
            answer = ask.list(paginate="true", pageSize=50, **bounds, **cursor)
            if answer.status_code == 429:
                continue
            found += [row["id"] for row in answer.json()["returns"]]
            following = answer.json()["nextPageUrl"]
            cursor = {"cursor": parse_qs(urlsplit(following).query)["cursor"][0]} if following else None
    assert (len(found), len(set(found))) == (950, 950)


def test_without_tie_safe_cursors_a_page_repeats_its_edge(world: World, ask):
    ask.simulator.loop_rules.tie_safe_cursor = False
    for place in range(3):
        many_at = world.now() - timedelta(hours=3 - place)
        world.open_return(2000 + place, "#1001", [(place, "TEE-BLK-M")], 501, created_at=many_at)
    first, second = pages(ask, pageSize=2)
    assert first["returns"][-1]["id"] == second["returns"][0]["id"]


def test_the_next_address_carries_only_what_loop_puts_in_it(world: World, ask):
    many(world, 3, world.now() - timedelta(hours=1))
    start = (world.now() - timedelta(days=2)).isoformat()
    body = ask.list(paginate="true", pageSize=2, filter="updated_at", to=world.now().isoformat(), **{"from": start}).json()
    query = parse_qs(urlsplit(body["nextPageUrl"]).query)
    assert set(query) == {"to", "filter", "pageSize", "cursor"}
    headers = {"X-Authorization": ask.simulator.loop_key}
    followed = requests.get(body["nextPageUrl"], headers=headers, timeout=5).json()
    assert [row["id"] for row in followed["returns"]] == ["1002"]


def test_without_pagination_the_list_is_a_bare_array(returns: World, ask):
    assert isinstance(ask.list().json(), list)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-01 00:00:00", "to": "soon"}, "to"),
        ({"state": "processed"}, "state"),
        ({"from": "2026-01-01", "to": "2026-05-02"}, "to"),
        ({"paginate": "true", "pageSize": "751"}, "pageSize"),
        ({"paginate": "true", "cursor": "?"}, "cursor"),
        ({"filter": "edited_at"}, "filter"),
    ],
)
def test_a_bad_query_is_refused_by_field(ask, params: dict, field: str):
    refused = ask.list(**params)
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == [field]


def test_windows_of_120_days_are_allowed_and_may_include_their_end(world: World, ask):
    at = datetime(2026, 5, 1, tzinfo=UTC)
    many(world, 1, at)
    window = {"from": "2026-01-01 00:00:00", "to": "2026-05-01 00:00:00"}
    assert len(ask.list(**window).json()) == 1
    ask.simulator.loop_rules.inclusive_end = False
    assert len(ask.list(**window).json()) == 0
    assert len(ask.list(**{"from": "2026-05-01 00:00:00", "to": "2026-05-02 00:00:00"}).json()) == 1


def test_from_alone_means_a_day_and_to_alone_is_ignored(world: World, ask):
    many(world, 1, world.now() - timedelta(days=3))
    start = (world.now() - timedelta(days=3, hours=1)).strftime("%Y-%m-%d %H:%M:%S")
    assert len(ask.list(**{"from": start}).json()) == 1
    assert len(ask.list(to=(world.now() - timedelta(days=2)).isoformat()).json()) == 0


def test_the_update_filter_finds_an_old_return_that_changed(world: World, ask):
    many(world, 1, world.now() - timedelta(days=30))
    assert ask.list(filter="updated_at").json() == []
    world.scan_label(1000, "in_transit")
    found = ask.list(filter="updated_at").json()
    assert found[0]["labels"][0]["status"] == "in_transit"


def test_an_unknown_return_is_a_200_with_an_error(ask):
    assert ask.details(1) == {"error": {"message": "No return found with this ID."}}


def test_details_are_found_by_order_too(returns: World, ask):
    for params in ({"order_id": 5000001004}, {"order_name": "1004"}):
        assert ask.loop("GET", "/warehouse/return/details", params=params).json()["id"] == 77000004


def test_the_report_has_a_row_per_unit(returns: World, ask):
    rows = ask.loop("GET", "/warehouse/reporting/asn").json()
    assert len(rows) == 8
    assert rows[0]["tracking_number"].startswith("1Z")


def test_destinations_name_their_shopify_location(ask):
    found = ask.loop("GET", "/destinations").json()["destinations"]
    assert [(one["id"], one["provider_location_id"]) for one in found] == [(501, 7001), (502, 7002), (503, 7003)]
    assert ask.loop("GET", "/destinations/502").json()["name"] == "LA1"
    assert ask.loop("GET", "/destinations/9").status_code == 404


def test_a_wrong_key_or_a_missing_scope_is_401(ask):
    assert ask.loop("GET", "/warehouse/return/list", key="wrong").status_code == 401
    ask.simulator.loop_rules.keys["few"] = ["destinations:read"]
    refused = ask.loop("GET", "/warehouse/return/list", key="few")
    assert (refused.status_code, refused.json()["error"]["http_code"]) == (401, "GEN-UNAUTHORIZED")
    assert ask.loop("GET", "/destinations", key="few").status_code == 200


def test_a_key_has_so_many_calls_a_minute(world: World, ask):
    ask.simulator.loop_rules.calls_per_minute = 3
    assert [ask.list().status_code for _ in range(4)] == [200, 200, 200, 429]
    world.clock.advance(61)
    assert ask.list().status_code == 200


def test_any_version_segment_will_do(returns: World, ask):
    base = ask.simulator.loop_url.removesuffix("/api/2026-07")
    headers = {"X-Authorization": ask.simulator.loop_key}
    for version in ("2026-10", "v1", "latest"):
        assert len(requests.get(f"{base}/api/{version}/warehouse/return/list", headers=headers, timeout=5).json()) == 4


def test_kept_units_get_no_label_and_a_destination_of_their_own(world: World, ask):
    units = [(1, "TEE-BLK-M", {"keep": True}), (2, "HOOD-GRY-M", {"destination_id": 502})]
    world.open_return(77000009, "#1003", units, 501)
    found = ask.list().json()[0]
    assert found["labels"][0]["line_items"] == ["2"]
    assert [line["outcome"] for line in found["line_items"]] == ["keep", "default"]
    assert found["line_items"][1]["consolidation_destination_id"] == "502"
