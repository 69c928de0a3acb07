"""The book's tables.

Written with SQLAlchemy's generic types so that SQLite and PostgreSQL hold the same thing. Instants are ISO 8601 text in UTC (sortable as text, equal on
both databases, readable in any viewer); amounts are decimal text; documents are JSON text. Rows that carry business facts (receipts, stock, invoices,
effects, events) are only ever added. A change here needs a migration in `migrations/versions`.

SQLite's planner is left without statistics on purpose (no ANALYZE): with them it takes a rare state (`held`, `taken`) for a common one and reads the whole
table. Without them it takes every index for equally sharp, so a column with few values (a partner, a state) has no index of its own where a statement
also names a sharper one: it stands behind that in one index (`ix_receipts_ra`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    func,
    literal_column,
)

metadata = MetaData()
Id = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, *columns: Column | Index | UniqueConstraint) -> Table:  # type: ignore[type-arg]
    return Table(name, metadata, *columns)


def _partial(name: str, *columns: ColumnElement[Any], where: ColumnElement[bool]) -> None:
    """An index over a part of a table, known when the tables are made: its condition loads PostgreSQL's dialect, which a look-up must not wait for."""

    def add(*_: object, **__: object) -> None:
        Index(name, *columns, sqlite_where=where, postgresql_where=where)

    event.listen(metadata, "before_create", add, once=True)


returns = _table(
    "returns",
    Column("rma", String(64), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("order_id", String(64), nullable=False, index=True),
    Column("order_name", String(64), nullable=False, index=True),
    Column("updated_at", String(40), nullable=False),
    Column("document", Text, nullable=False),
    Column("hold", Text, nullable=False, default=""),
    Column("hold_key", String(200), nullable=False, default="", index=True),
    Column("none_because", Text, nullable=False, default=""),
    Column("exchange_state", String(64), nullable=False, default="", index=True),
    Column("closed_at", String(40)),
    Column("imported_at", String(40), nullable=False, index=True),
    Column("emptied_at", String(40)),
    Index("ix_returns_updated", "state", "updated_at"),
    Index("ix_returns_closed", "state", "closed_at"),
)
authorizations = _table(
    "authorizations",
    Column("ra", String(64), primary_key=True),
    Column("rma", String(64), ForeignKey("returns.rma"), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("partner", String(64), nullable=False),
    Column("warehouse", String(64), nullable=False),
    Column("state", String(32), nullable=False),
    Column("hold", Text, nullable=False, default=""),
    Column("document", Text, nullable=False),
    Column("currency", String(3), nullable=False, default=""),
    Column("value_cents", Id, nullable=False, default=0),
    Column("created_at", String(40), nullable=False, index=True),
    Column("sent_at", String(40)),
    Column("first_receipt_at", String(40)),
    Column("wait_until", String(40), index=True),
    Index("ix_authorizations_state", "state", "created_at", "ra"),
    Index("ix_authorizations_sent", "state", "sent_at", "ra"),
    Index("ix_authorizations_came", "state", "first_receipt_at", "rma"),
    Index("ix_authorizations_standing", "state", "partner", "currency", "sent_at", "created_at", "value_cents"),
)
tracking_numbers = _table(
    "tracking_numbers",
    Column("number", String(80), primary_key=True),
    Column("ra", String(64), ForeignKey("authorizations.ra"), primary_key=True, index=True),
)
Index("ix_authorizations_upper", func.upper(authorizations.c.ra))
authorization_lines = _table(
    "authorization_lines",
    Column("ra", String(64), ForeignKey("authorizations.ra"), primary_key=True),
    Column("sku", String(80), primary_key=True),
    Column("line_no", Integer, nullable=False),
    Column("upc", String(80), nullable=False, default="", index=True),
    Column("expected", Integer, nullable=False),
    Column("good", Integer, nullable=False, default=0),
    Column("second", Integer, nullable=False, default=0),
    Column("not_returned", Integer, nullable=False, default=0),
    Column("over", Integer, nullable=False, default=0),
    Column("unit_ids", Text, nullable=False),
)
Index("ix_authorization_lines_sku", authorization_lines.c.sku)
_short = authorization_lines.c.good + authorization_lines.c.second < authorization_lines.c.expected
_partial("ix_authorization_lines_short", authorization_lines.c.ra, where=_short)
receipts = _table(
    "receipts",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("partner", String(64), nullable=False),
    Column("receipt_no", String(64), nullable=False, index=True),
    Column("content_key", String(64), nullable=False),
    Column("ra", String(64)),
    Column("ra_reference", String(80), nullable=False),
    Column("state", String(24), nullable=False, index=True),
    Column("reason", Text, nullable=False, default=""),
    Column("file_id", Id, ForeignKey("files.id"), index=True),
    Column("document", Text, nullable=False),
    Column("received_on", String(10), nullable=False),
    Column("arrived_at", String(40), nullable=False, index=True),
    UniqueConstraint("partner", "receipt_no", "content_key", name="uq_receipt_content"),
    Index("ix_receipts_ra", "ra", "state"),
)
partner_stock = _table(
    "partner_stock",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("file_id", Id, ForeignKey("files.id"), nullable=False),
    Column("partner", String(64), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("number", String(80), nullable=False),
    Column("reported_on", String(10), nullable=False),
    Column("warehouse", String(64), nullable=False),
    Column("stated", String(80), nullable=False),
    Column("sku", String(80), nullable=False, default=""),
    Column("quality", String(8), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("reason", String(16), nullable=False, default=""),
    Column("position", String(80), nullable=False, default=""),
    Index("ix_partner_stock", "partner", "reported_on"),
)
# What waits is little of much: an index of its own for each, used where a statement repeats its condition word by word (`IS_HELD`, `IS_WAITING`, `IS_CARRIED`, `IS_DELIVERED`).
IS_HELD = returns.c.hold_key > literal_column("''")
IS_WAITING = receipts.c.state.in_([literal_column("'waiting'"), literal_column("'unmatched'")])
_partial("ix_returns_held", returns.c.rma, where=IS_HELD)
_partial("ix_receipts_waiting", receipts.c.id, where=IS_WAITING)
decisions = _table(
    "decisions",
    Column("rma", String(64), ForeignKey("returns.rma"), primary_key=True),
    Column("verdict", String(16), nullable=False),
    Column("rule", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("settings_version", String(64), nullable=False),
    Column("decided_at", String(40), nullable=False),
    Column("confirmed_at", String(40)),
)
effects = _table(
    "effects",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("target", String(120), nullable=False, index=True),
    Column("version", String(80), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("payload", Text, nullable=False),
    Column("evidence", Text, nullable=False, default="{}"),
    Column("cause", Text, nullable=False, default=""),
    Column("created_at", String(40), nullable=False),
    Column("sent_at", String(40)),
    Column("settled_at", String(40)),
    UniqueConstraint("kind", "target", "version", name="uq_effect"),
)
work_queue = _table(
    "work_queue",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("job", String(48), nullable=False),
    Column("key", String(160), nullable=False),
    Column("due_at", String(40), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("state", String(12), nullable=False, default="ready"),
    Column("owner", String(120)),
    Column("lease_until", String(40)),
    Column("fence", Id, nullable=False, default=0),
    Column("again", Boolean, nullable=False, default=False),
    Column("trouble", Text, nullable=False, default=""),
    Column("partner", String(64), nullable=False, default=""),
    UniqueConstraint("job", "key", name="uq_work"),
    Index("ix_work_due", "due_at", "id"),
)
leases = _table(
    "leases",
    Column("name", String(120), primary_key=True),
    Column("owner", String(120), nullable=False, default=""),
    Column("fence", Id, nullable=False),
    Column("until", String(40), nullable=False),
)
files = _table(
    "files",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("direction", String(3), nullable=False),
    Column("partner", String(64), nullable=False),
    Column("name", String(255), nullable=False, index=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", Id, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("outcome", String(16), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("control", String(32), nullable=False, default="", index=True),
    Column("sender", String(40), nullable=False, default=""),
    Column("duplicate_of", Id),
    Column("resend_of", Id),
    Column("resends", Integer, nullable=False, default=0),
    Column("claimed_as", String(400), unique=True),
    Column("place", Text, nullable=False, default=""),
    Column("next_place", Text, nullable=False, default=""),
    Column("content", LargeBinary),
    Column("side_text", Text, nullable=False, default=""),
    Column("folder", String(16), nullable=False, default=""),
    Column("modified_at", String(40)),
    Column("arrived_at", String(40), nullable=False),
    Column("settled_at", String(40)),
    Column("masked_sha256", String(64), nullable=False, default=""),
    Index("ix_files_outcome", "direction", "outcome", "id"),
    Index("ix_files_listed", "partner", "direction", "outcome", "id"),
    Index("ix_files_partner", "partner", "direction", "arrived_at", "outcome"),
    Index("ix_files_arrived", "arrived_at", "partner", "direction", "outcome"),
)
remote_files = _table(
    "remote_files",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("partner", String(64), nullable=False),
    Column("direction", String(3), nullable=False),
    Column("folder", String(16), nullable=False),
    Column("name", String(255), nullable=False),
    Column("stamp", String(64), nullable=False),
    Column("size", Id, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("remote_name", String(255), nullable=False, default=""),
    Column("local_name", String(255), nullable=False, default=""),
    Column("trouble", Text, nullable=False, default=""),
    Column("owner", String(120), nullable=False, default=""),
    Column("lease_until", String(40), nullable=False, default=""),
    Column("fence", Id, nullable=False, default=0),
    Column("started_at", String(40), nullable=False),
    Column("changed_at", String(40), nullable=False),
    UniqueConstraint("partner", "direction", "folder", "name", "stamp", name="uq_remote_file"),
)
IS_CARRIED = remote_files.c.state != literal_column("'done'")
_partial("ix_remote_files_carried", remote_files.c.partner, remote_files.c.direction, where=IS_CARRIED)
file_documents = _table(
    "file_documents",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("file_id", Id, ForeignKey("files.id"), nullable=False, index=True),
    Column("partner", String(64), nullable=False),
    Column("direction", String(3), nullable=False),
    Column("document", String(16), nullable=False),
    Column("group_control", String(16), nullable=False, default="", index=True),
    Column("set_control", String(16), nullable=False, default=""),
    Column("ra", String(64), index=True),
    Column("version", Integer, nullable=False, default=1),
    Column("validation", String(16), nullable=False, default=""),
    Column("acknowledgement", String(24), nullable=False, default="not expected"),
    Column("reason", Text, nullable=False, default=""),
    Column("expected_by", String(40)),
    Column("acknowledged_at", String(40)),
    Index("ix_documents_acknowledgement", "acknowledgement", "partner", "expected_by"),
)
control_numbers = _table(
    "control_numbers",
    Column("partner", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("last", Id, nullable=False),
)
refunds = _table(
    "refunds",
    Column("refund_id", String(64), primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("order_name", String(64), nullable=False),
    Column("rma", String(64)),
    Column("status", String(12), nullable=False),
    Column("message", Text, nullable=False, default=""),
    Column("currency", String(3), nullable=False),
    Column("credit", String(24), nullable=False, default="0.00"),
    Column("cash", String(24), nullable=False, default="0.00"),
    Column("refund_updated_at", String(40), nullable=False),
    Column("document", Text, nullable=False),
    Column("imported_at", String(40), index=True),
    Column("seen_at", String(40), nullable=False),
    Index("ix_refunds_order", "order_id", "status"),
    Index("ix_refunds_return", "rma", "status"),
    Index("ix_refunds_seen", "seen_at", "refund_id"),
    Index("ix_refunds_result", "status", "seen_at", "refund_id"),
)
refund_lines = _table(
    "refund_lines",
    Column("refund_id", String(64), ForeignKey("refunds.refund_id"), primary_key=True),
    Column("key", String(120), primary_key=True),
    Column("order_line_id", String(64), nullable=False, index=True),
    Column("sku", String(80), nullable=False),
    Column("imported", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("merchandise", String(24), nullable=False),
    Column("tax", String(24), nullable=False),
    Column("restock_type", String(24), nullable=False),
    Column("result", String(32), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("goods", String(16), nullable=False, default="merchandise"),
    Column("stocked", Text, nullable=False, default="[]"),
)
credit_invoices = _table(
    "credit_invoices",
    Column("number", String(64), primary_key=True),
    Column("refund_id", String(64), ForeignKey("refunds.refund_id"), nullable=False, unique=True),
    Column("order_id", String(64), nullable=False, index=True),
    Column("rma", String(64), index=True),
    Column("currency", String(3), nullable=False),
    Column("merchandise", String(24), nullable=False),
    Column("tax", String(24), nullable=False),
    Column("shipping", String(24), nullable=False),
    Column("duties", String(24), nullable=False),
    Column("adjustment", String(24), nullable=False, default="0.00"),
    Column("total", String(24), nullable=False),
    Column("settlements", Text, nullable=False),
    Column("adjustments", Text, nullable=False, default="[]"),
    Column("shopper_currency", String(3), nullable=False, default=""),
    Column("shopper", Text, nullable=False, default="{}"),
    Column("made_at", String(40), nullable=False),
)
settlement_moves = _table(
    "settlement_moves",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("refund_id", String(64), ForeignKey("refunds.refund_id"), nullable=False),
    Column("invoice", String(64), ForeignKey("credit_invoices.number"), nullable=False, index=True),
    Column("from_kind", String(24), nullable=False),
    Column("to_kind", String(24), nullable=False),
    Column("amount", String(24), nullable=False),
    Column("detail", String(64), nullable=False, default=""),
    Column("moved_at", String(40), nullable=False),
    UniqueConstraint("refund_id", "invoice", "from_kind", "to_kind", "detail", name="uq_settlement_move"),
)
stock_ledger = _table(
    "stock_ledger",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("warehouse", String(64), nullable=False),
    Column("sku", String(80), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("cause", String(24), nullable=False),
    Column("reference", String(160), nullable=False),
    Column("remark", Text, nullable=False, default=""),
    Column("rma", String(64), index=True),
    Column("actor", String(64), nullable=False, default="gateway"),
    Column("posted_at", String(40), nullable=False),
    UniqueConstraint("cause", "reference", "warehouse", "sku", name="uq_stock_posting"),
    Index("ix_stock_place", "warehouse", "sku", "id", "quantity"),
)
stock_exports = _table(
    "stock_exports",
    Column("warehouse", String(64), primary_key=True),
    Column("sku", String(80), primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("ledger_id", Id, nullable=False),
    Column("exported_at", String(40), nullable=False),
)
exchange_orders = _table(
    "exchange_orders",
    Column("order_id", String(64), primary_key=True),
    Column("name", String(64), nullable=False, index=True),
    Column("rma", String(64), index=True),
    Column("original_order", String(64), nullable=False),
    Column("matched_by", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("merchandise", String(24), nullable=False),
    Column("tax", String(24), nullable=False),
    Column("shipping", String(24), nullable=False),
    Column("misc_charge", String(24), nullable=False),
    Column("misc_label", Text, nullable=False),
    Column("discount", String(24), nullable=False),
    Column("collected", String(24), nullable=False),
    Column("ar", String(24), nullable=False),
    Column("shopper_currency", String(3), nullable=False, default=""),
    Column("shopper_total", String(24), nullable=False, default=""),
    Column("imported_at", String(40), nullable=False),
)
stock_comparisons = _table(
    "stock_comparisons",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("partner", String(64), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("number", String(80), nullable=False),
    Column("reported_on", String(10), nullable=False),
    Column("warehouse", String(64), nullable=False),
    Column("counts", Integer, nullable=False),
    Column("differences", Integer, nullable=False),
    Column("remarks", Text, nullable=False, default="[]"),
    Column("compared_at", String(40), nullable=False),
    UniqueConstraint("partner", "kind", "number", "reported_on", "warehouse", name="uq_stock_comparison"),
)
stock_differences = _table(
    "stock_differences",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("comparison_id", Id, ForeignKey("stock_comparisons.id"), nullable=False, index=True),
    Column("warehouse", String(64), nullable=False),
    Column("sku", String(80), nullable=False),
    Column("ours", Integer, nullable=False),
    Column("theirs", Integer),
    Column("position", String(120), nullable=False, default=""),
    UniqueConstraint("comparison_id", "warehouse", "sku", name="uq_stock_difference"),
)
erp_rows = _table(
    "erp_rows",
    Column("kind", String(24), primary_key=True),
    Column("key", String(120), primary_key=True),
    Column("file_id", Id, ForeignKey("files.id"), nullable=False, index=True),
    Column("sent_at", String(40), nullable=False),
)
events = _table(
    "events",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("at", String(40), nullable=False),
    Column("word", String(48), nullable=False),
    Column("rma", String(64), index=True),
    Column("ra", String(64), index=True),
    Column("file_id", Id, index=True),
    Column("partner", String(64)),
    Column("actor", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("facts", Text, nullable=False, default="{}"),
    Column("digest", String(64), nullable=False, default=""),
    Column("link", Id, unique=True),
    Column("seal", String(64), nullable=False, default=""),
    Index("ix_events_actor", "actor", "id"),
)
_partial("ix_events_unsealed", events.c.id, where=events.c.link.is_(None))
IS_DELIVERED = events.c.word == literal_column("'parcel.delivered'")
_partial("ix_events_delivered", events.c.rma, events.c.at, where=IS_DELIVERED)
Index("ix_events_word", events.c.word, events.c.at)
messages = _table(
    "messages",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("kind", String(24), nullable=False),
    Column("channel", String(200), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("html", Text, nullable=False, default=""),
    Column("state", String(16), nullable=False, default="pending", index=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("cause", Text, nullable=False, default=""),
    Column("created_at", String(40), nullable=False),
    Column("settled_at", String(40)),
)
told_causes = _table(
    "told_causes",
    Column("kind", String(48), primary_key=True),
    Column("subject", String(160), primary_key=True),
    Column("text", Text, nullable=False),
    Column("told_at", String(40), nullable=False),
    Column("times", Integer, nullable=False, default=1),
)
tasks = _table(
    "tasks",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("kind", String(48), nullable=False),
    Column("subject", String(160), nullable=False),
    Column("rma", String(64)),
    Column("text", Text, nullable=False),
    Column("advice", Text, nullable=False, default=""),
    Column("owner", String(64), nullable=False, default=""),
    Column("note", Text, nullable=False, default=""),
    Column("open", Boolean, nullable=False, index=True),
    Column("opened_at", String(40), nullable=False),
    Column("closed_at", String(40)),
    Column("closed_because", Text, nullable=False, default=""),
    UniqueConstraint("kind", "subject", name="uq_task"),
    Index("ix_tasks_return", "rma", "open"),
    Index("ix_tasks_subject", "subject", "open"),
)
alerts = _table(
    "alerts",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("kind", String(48), nullable=False),
    Column("subject", String(160), nullable=False),
    Column("text", Text, nullable=False),
    Column("open", Boolean, nullable=False, index=True),
    Column("times", Integer, nullable=False, default=1),
    Column("first_at", String(40), nullable=False),
    Column("last_at", String(40), nullable=False),
    UniqueConstraint("kind", "subject", name="uq_alert"),
)
job_runs = _table(
    "job_runs",
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("job", String(48), nullable=False, index=True),
    Column("scope", String(160), nullable=False, default=""),
    Column("started_at", String(40), nullable=False),
    Column("ended_at", String(40)),
    Column("read", Integer, nullable=False, default=0),
    Column("done", Integer, nullable=False, default=0),
    Column("skipped", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("reasons", Text, nullable=False, default="[]"),
    Column("trouble", Text, nullable=False, default=""),
)
positions = _table(
    "positions",
    Column("name", String(80), primary_key=True),
    Column("value", Text, nullable=False),
)
schedule = _table(
    "schedule",
    Column("job", String(48), primary_key=True),
    Column("due_at", String(40), nullable=False),
    Column("last_success_at", String(40)),
    Column("wait_seconds", Float, nullable=False, default=0),
)
users = _table(
    "users",
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("password", Text, nullable=False),
    Column("failures", Integer, nullable=False, default=0),
    Column("locked_until", String(40)),
    Column("created_at", String(40), nullable=False),
    Column("signed_in_at", String(40)),
)
sessions = _table(
    "sessions",
    Column("token", String(64), primary_key=True),
    Column("user", String(64), ForeignKey("users.name"), nullable=False, index=True),
    Column("form_key", String(64), nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("ends_at", String(40), nullable=False, index=True),
)
webhooks = _table(
    "webhooks",
    Column("key", String(80), primary_key=True),
    Column("at", String(40), nullable=False, index=True),
)
