"""Every page: its address, the right it needs, and POST for whatever changes something. Tests visit all of it as each role."""

from __future__ import annotations

from gateway.web import acting, files, money, reports, returns, running, today, work
from gateway.web.guard import ACT, ADMINISTER, MONEY, Route

ROUTES: tuple[Route, ...] = (
    Route("/", today.show),
    Route("/find", returns.find),
    Route("/returns", returns.listed),
    Route("/returns/held", returns.held),
    Route("/returns/<number>", returns.one),
    Route("/ras/<ra>/hold", acting.hold, ACT, "POST"),
    Route("/ras/<ra>/release", acting.release, ACT, "POST"),
    Route("/ras/<ra>/close", acting.close, ACT, "POST"),
    Route("/ras/<ra>/resend", acting.resend, ACT, "POST"),
    Route("/receipts/<int:receipt_id>/correct", acting.correct, ACT, "POST"),
    Route("/effects/<int:effect_id>/retry", acting.retry, ACT, "POST"),
    Route("/desk", work.listed),
    Route("/desk/<int:task_id>", work.change, ACT, "POST"),
    Route("/desk/bulk", work.ask_bulk, ACT, "POST"),
    Route("/desk/bulk/do", work.do_bulk, ACT, "POST"),
    Route("/parcels", work.parcels),
    Route("/parcels/<int:receipt_id>/attach", work.attach, ACT, "POST"),
    Route("/aging", work.aging),
    Route("/files", files.listed),
    Route("/files/drop", files.drop, ACT, "POST"),
    Route("/files/<int:file_id>", files.one),
    Route("/files/<int:file_id>/download", files.download),
    Route("/files/<int:file_id>/replay", files.replay, ACT, "POST"),
    Route("/refunds", money.refunds, MONEY),
    Route("/orders", money.orders, MONEY),
    Route("/differences", money.unmet, MONEY),
    Route("/reports", reports.listed, MONEY),
    Route("/reports/<report>", reports.one, MONEY),
    Route("/stock", money.stock),
    Route("/partners", running.partners),
    Route("/partners/<name>", running.partner),
    Route("/jobs", running.jobs),
    Route("/jobs/<name>/run", acting.run_job, ACT, "POST"),
    Route("/audit", running.audit),
    Route("/settings", running.settings, ADMINISTER),
    Route("/users", running.users, ADMINISTER),
    Route("/users/add", running.add_user, ADMINISTER, "POST"),
    Route("/users/remove", running.remove_user, ADMINISTER, "POST"),
    Route("/users/password", running.set_password, ADMINISTER, "POST"),
)
