"""A world with something on every page, served as the service serves it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from gateway.cli.pages import make_desk
from gateway.jobs import people
from gateway.simulator.partner import make_944
from gateway.simulator.world import open_known_return
from gateway.store import database
from gateway.store import people as people_store
from gateway.web import serving
from gateway.worker import Worker
from tests.journeys import steps
from tests.stage import Stage

PASSWORD = "correct horse battery"
PEOPLE = {"vera": "viewer", "fina": "finance", "otto": "operator", "anna": "administrator"}
DAY = 86400


def fill(stage: Stage) -> None:
    """Four returns at different places, a parcel without return, a broken file, a refund seen twice, and four people."""
    for rma in (77000001, 77000002, 77000003, 77000004):
        open_known_return(stage.world, rma)
    stage.import_rmas()
    steps.come_back(stage, 77000001)
    steps.come_back(stage, 77000003, ("TEE-BLK-M", 1), ("HOOD-GRY-M", 1))
    steps.come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    stage.loop_finishes()
    stage.import_refunds()
    stage.import_refunds()
    stage.job("ShopifyImportOrders")
    stage.job("ShopifyExportInventory")
    stage.receive("", [("DRS-RED-6", 1)], receipt_no="WR9999")
    stage.wait(1.1 * DAY)
    stage.drop("ATLAS", "broken.edi", make_944("RA77000002", [("DRS-RED-6", 1)], number=9001).replace(b"W07*1*EA", b"W07*X*QQ"))
    let_in(stage)


@cache
def _kept() -> str:
    return people.hash_password(PASSWORD, salt=b"of the tests")


def let_in(stage: Stage) -> None:
    """Four people, one of each role; their password is hashed once for all tests."""
    with database.writing(stage.ctx.engine) as connection:
        for name, role in PEOPLE.items():
            people_store.add_user(connection, name=name, role=role, password=_kept(), at=stage.ctx.now())


@contextmanager
def served(stage: Stage, *, webhooks: str = "", work: bool = True) -> Iterator[list[str]]:
    """Serve a stage's pages on ports of their own, with a worker beside; yields the addresses."""
    stopping, ready, addresses = threading.Event(), threading.Event(), []

    def tell(found: list[str]) -> None:
        addresses.extend(f"http://{address}" for address in found)
        ready.set()

    def work_off() -> None:
        worker = Worker(ctx=stage.ctx, owner="browser")
        while not stopping.is_set():
            worker.drain()
            stopping.wait(0.05)

    desk = make_desk(stage.workspace, stage.ctx)
    threads = [threading.Thread(target=lambda: serving.serve(desk, pages="127.0.0.1:0", webhooks=webhooks, stopping=stopping, ready=tell))]
    threads += [threading.Thread(target=work_off)] if work else []
    for thread in threads:
        thread.start()
    try:
        assert ready.wait(10)
        yield addresses
    finally:
        stopping.set()
        for thread in threads:
            thread.join(10)
