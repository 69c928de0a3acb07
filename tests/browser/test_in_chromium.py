"""The pages in a real Chromium: the effort targets counted, accessibility, hostile text, every page on laptop and phone, light and dark."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.partner import make_944
from gateway.web.routes import ROUTES
from tests.browser import scene
from tests.stage import Stage

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(600)]
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
AXE = (Path(__file__).parent / "axe.min.js").read_text(encoding="utf-8")
AXE_RUN = "async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})).violations"
HOSTILE = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>{{7*7}}\u202egpj.exe\u2066'\"&"
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 800}


@dataclass
class Screen:
    """A page under test that counts what a person does and keeps what the browser complains about."""

    page: Any
    base: str
    clicks: int = 0
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page; not an effort of its own."""
        self.page.goto(self.base + path)
        self.clicks = 0

    def click(self, selector: str, leads_to: str = "") -> None:
        """Click once, and wait where it leads."""
        self.clicks += 1
        self.page.locator(selector).first.click()
        if leads_to:
            self.page.wait_for_url(re.compile(leads_to))
            self.page.wait_for_load_state("load")

    def text(self) -> str:
        """What is to be read."""
        return str(self.page.locator("main").inner_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a screen."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed, and this is CI")
        pytest.skip("no Chromium on this machine: install the package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The filled world, hostile text included."""
    with Stage(tmp_path_factory.mktemp("browser") / "stage") as stage:
        scene.fill(stage)
        yield stage


@pytest.fixture(scope="module")
def base(world: Stage) -> Iterator[str]:
    """The address of the served pages."""
    with scene.served(world) as addresses:
        yield addresses[0]


@pytest.fixture
def enter(browser: Any, base: str) -> Iterator[Callable[..., Screen]]:
    """Sign someone in, on a screen and in a light."""
    contexts = []

    def sign_in(name: str, *, size: dict[str, int] = LAPTOP, light: str = "light") -> Screen:
        context = browser.new_context(viewport=size, color_scheme=light)
        contexts.append(context)
        screen = Screen(page=context.new_page(), base=base)
        screen.page.on("console", lambda said: screen.complaints.append(said.text) if said.type == "error" else None)
        screen.page.on("pageerror", lambda error: screen.complaints.append(str(error)))
        screen.go("/sign-in")
        screen.page.fill("#name", name)
        screen.page.fill("#password", scene.PASSWORD)
        screen.click("button.main", r"/$")
        screen.clicks = 0
        return screen

    yield sign_in
    for context in contexts:
        context.close()


def places(world: Stage) -> list[str]:
    """Every page that is looked at, with something real in its place."""
    file = max(f.id for f in world.files() if f.outcome == "error")
    real = {"report": "month-end", "number": "77000003", "file_id": str(file), "name": "ATLAS"}
    looked = [
        re.sub(r"<(?:int:)?(\w+)>", lambda found: real[found[1]], r.path)
        for r in ROUTES
        if r.method == "GET" and not r.path.endswith(("download", "bundle"))
    ]
    return [*looked, "/find?q=HOOD-GRY-M", "/find?q=nothing", "/returns/77000001", "/returns?stage=flagged", "/returns/000"]


def test_a_return_is_found_by_one_input_and_says_where_it_stands(enter: Callable[..., Screen]) -> None:
    screen = enter("vera")
    for words in ("77000003", "#1003", "RA77000003"):
        screen.go("/")
        screen.page.keyboard.press("/")
        screen.page.keyboard.type(words)
        screen.page.keyboard.press("Enter")
        screen.page.wait_for_url(re.compile("/returns/77000003$"))
        assert "It waits for a person to review it in Loop Admin." in screen.text()
        assert screen.clicks == 0


def test_why_it_was_flagged_is_one_click_away_in_words(enter: Callable[..., Screen]) -> None:
    screen = enter("vera")
    screen.click("a:has-text('77000003 was flagged')", "/returns/77000003$")
    assert screen.clicks == 1
    why = screen.page.locator("section:has(#why) > ul").inner_text()
    assert "CAP-NVY-OS short 1 of 1" in why
    assert not re.search(r"loop\.|SHORT|x12\.", why)


def test_what_needs_me_is_one_click_away_oldest_or_most_valuable_first(enter: Callable[..., Screen]) -> None:
    for link in ("nav a:text-is('Needs a person')", "a:text-is('most valuable first')"):
        screen = enter("otto")
        screen.click(link, "/desk")
        assert screen.clicks == 1
        assert screen.text().find("77000003") < screen.text().find("77000004")


def test_an_unknown_parcel_is_attached_in_two_clicks(world: Stage, enter: Callable[..., Screen]) -> None:
    screen = enter("otto")
    screen.go("/parcels")
    assert "all items are on it" in screen.text()
    screen.click("summary:has-text('Attach to RA77000002')")
    screen.click("button:has-text('Yes, it belongs to RA77000002')", "/parcels$")
    assert screen.clicks == 2
    assert "The parcel belongs to RA77000002 now" in screen.text()
    assert [r.ra for r in world.receipts() if r.document.receipt_no == "WR9999"] == ["RA77000002"]


def test_finance_has_its_lists_one_click_away(enter: Callable[..., Screen]) -> None:
    screen = enter("fina")
    for start, link, words in (
        ("/", "nav a:text-is('Differences')", "Credited, not received"),
        ("/differences", "a:text-is('Received, not credited')", "Received, not credited"),
        ("/orders", "a:text-is('A/R not zero')", "every exchange order is settled"),
    ):
        screen.go(start)
        screen.click(link, "differences|orders")
        assert screen.clicks == 1
        assert words in screen.text()


def test_a_file_is_dropped_and_taken(world: Stage, enter: Callable[..., Screen], tmp_path: Path) -> None:
    (tmp_path / "dropped.edi").write_bytes(make_944("RA77000009", [("TEE-BLK-M", 1)], number=8001))
    screen = enter("otto")
    screen.go("/files")
    screen.page.set_input_files("input[type=file]", str(tmp_path / "dropped.edi"))
    screen.click("button:has-text('Look at what it would cause')", "/files/drop$")
    assert "Nothing has happened yet" in screen.text()
    screen.click("button:has-text('Drop it')", "/files$")
    world.take()
    screen.go("/files")
    assert "dropped.edi" in screen.text()


@pytest.mark.parametrize("name", scene.PEOPLE)
def test_every_page_opens_for_each_role_without_a_complaint(world: Stage, enter: Callable[..., Screen], name: str) -> None:
    screen = enter(name)
    for path in places(world):
        screen.go(path)
        assert screen.page.locator("h1").count() == 1, path
    assert [c for c in screen.complaints if "status of 40" not in c] == []


@pytest.mark.parametrize(("size", "light"), [(LAPTOP, "light"), (LAPTOP, "dark"), (PHONE, "light"), (PHONE, "dark")])
def test_every_page_is_accessible_and_fits(world: Stage, enter: Callable[..., Screen], size: dict[str, int], light: str) -> None:
    screen = enter("anna", size=size, light=light)
    found = []
    for path in ["/sign-in", *places(world)]:
        screen.go(path)
        screen.page.evaluate(AXE)
        found += [f"{path}: {v['id']}: {v['nodes'][0]['html'][:160]}" for v in screen.page.evaluate(AXE_RUN)]
        if screen.page.evaluate("document.documentElement.scrollWidth") > size["width"]:
            found.append(f"{path} is wider than the screen")
    assert "\n".join(found) == ""


def test_the_menu_and_an_action_work_by_keyboard_alone(enter: Callable[..., Screen]) -> None:
    screen = enter("otto", size=PHONE)
    screen.page.keyboard.press("Tab")
    assert screen.page.evaluate("document.activeElement.textContent") == "Skip to the page"
    screen.page.locator("summary:text-is('Menu')").focus()
    screen.page.keyboard.press("Enter")
    screen.page.locator("nav a:text-is('Files')").focus()
    screen.page.keyboard.press("Enter")
    screen.page.wait_for_url(re.compile("/files$"))
    outline = screen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline in ("none", "auto", "solid")


def test_today_renews_itself_without_a_complaint(enter: Callable[..., Screen]) -> None:
    screen = enter("vera")
    with screen.page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true"):
        screen.page.evaluate("htmx.ajax('GET', '/', {target: '#today', select: '#today', swap: 'outerHTML'})")
    screen.page.wait_for_selector("#today h1")
    assert screen.complaints == []


def test_hostile_text_is_shown_as_text_everywhere(make_stage: Callable[..., Stage], browser: Any) -> None:
    stage = make_stage()
    poison(stage)
    with scene.served(stage, work=False) as (base,):
        context = browser.new_context(viewport=LAPTOP)
        screen = Screen(page=context.new_page(), base=base)
        dialogs: list[str] = []
        screen.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        screen.page.on("console", lambda said: screen.complaints.append(said.text) if said.type == "error" else None)
        screen.go("/sign-in")
        screen.page.fill("#name", HOSTILE_USER)
        screen.page.fill("#password", scene.PASSWORD)
        screen.click("button.main", r"/$")
        seen = 0
        for path in [*places(stage), "/refunds?refund=1", "/desk?owner=" + "%3Cscript%3E", "/find?q=%3Cscript%3Ealert(1)%3C/script%3E"]:
            screen.go(path)
            assert screen.page.evaluate("window.pwned") is None, path
            html = screen.page.content()
            assert '<img src="x"' not in html.lower(), path
            assert "\u202e" not in html, path
            assert "\u2066" not in html, path
            seen += "{{7*7}}" in screen.page.locator("body").inner_text()
        context.close()
    assert seen >= 10
    assert dialogs == []
    assert [c for c in screen.complaints if "Content Security" in c] == []


HOSTILE_USER = "<b>anna</b>{{7*7}}"


def poison(stage: Stage) -> None:
    """Put hostile text into every text that the book holds and pages show."""
    from sqlalchemy import String, Text, update

    from gateway.store import audit, database, schema

    scene.fill(stage)
    keep = {"state", "outcome", "direction", "partner", "at", "facts", "document", "settlements", "seal", "currency", "folder", "place", "next_place"}
    keep |= {
        "reasons",
        "payload",
        "evidence",
        "control",
        "claimed_as",
        "sha256",
        "role",
        "password",
        "unit_ids",
        "verdict",
        "hold_key",
        "last_success_at",
    }
    with database.writing(stage.ctx.engine) as connection, audit.unprotected(connection):
        connection.execute(update(schema.users).where(schema.users.c.name == "anna").values(name=HOSTILE_USER))
        for table in (schema.returns, schema.authorizations, schema.receipts, schema.files, schema.file_documents, schema.refunds, schema.events):
            poison_table(connection, update, table, keep, (String, Text))
        for table in (schema.tasks, schema.alerts, schema.job_runs, schema.stock_ledger, schema.effects, schema.refund_lines):
            poison_table(connection, update, table, keep, (String, Text))
    (stage.folder / "inbox" / "ATLAS" / "x<script>alert(1)<script>{{7*7}}.edi").write_bytes(f"{HOSTILE}\n".encode())
    stage.take()


def poison_table(connection: Any, update: Any, table: Any, keep: set[str], kinds: tuple[type, ...]) -> None:
    """Hostile values for every free text of a table: not keys, not instants, not states."""
    free = [
        c
        for c in table.c
        if isinstance(c.type, kinds) and not c.primary_key and not c.foreign_keys and not c.name.endswith(("_at", "_on", "_until", "_by"))
    ]
    unique = {c.name for constraint in table.constraints for c in getattr(constraint, "columns", ())}
    values = {
        c.name: HOSTILE for c in free if c.name not in keep | unique | {"rma", "ra", "kind", "order_id", "order_name", "warehouse", "sku", "job"}
    }
    if values:
        connection.execute(update(table).values(**values))
