"""The parts of `gateway.toml` as models: every key with its default and what it must be. A new key needs a sentence in `docs/settings.md`."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.mapping.calendars import known_zone
from gateway.mapping.policy_part import PolicyPart


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MerchantPart(_Part):
    """The merchant and its rules."""

    code: str
    name: str
    time_zone: str = "UTC"
    ra_pattern: str = "RA{rma}"
    create_on: Literal["created", "in_transit"] = "created"
    import_from: date
    transmit_in_review: bool = False
    kept_outcomes: tuple[str, ...] = ("keep", "donate")
    donate_destinations: tuple[str, ...] = ()
    send_shopper: bool = False
    expected_days: int = 0
    loop_discount: bool = False
    exchange_mode: Literal["auto", "separate", "native"] = "auto"
    exchange_prefix: str = "EXC"
    default_warehouse: str = ""
    compare_hour: int = Field(default=2, ge=0, le=23)
    bonus_credit: Decimal = Decimal("0.00")
    store_credit_gateways: tuple[str, ...] = ("gift_card", "shopify_store_credit", "store_credit")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)

    @field_validator("ra_pattern")
    @classmethod
    def _has_rma(cls, value: str) -> str:
        if "{rma}" not in value:
            raise ValueError("must contain {rma}, or RA numbers would repeat")
        return value


class LoopPart(_Part):
    """Loop's address and key."""

    base_url: str = "https://api.loopreturns.com"
    version: str = "2026-07"
    api_key: str = "env:GATEWAY_LOOP_API_KEY"
    webhook_secret: str = "env:GATEWAY_LOOP_WEBHOOK_SECRET"
    calls_a_minute: int = 240


class ShopifyPart(_Part):
    """Shopify's address and token, or client id and secret."""

    base_url: str
    version: str = "2026-10"
    token: str = "env:GATEWAY_SHOPIFY_TOKEN"
    client_id: str = "env:GATEWAY_SHOPIFY_CLIENT_ID"
    client_secret: str = "env:GATEWAY_SHOPIFY_CLIENT_SECRET"
    webhook_secret: str = "env:GATEWAY_SHOPIFY_WEBHOOK_SECRET"
    compare_before_write: bool = True


class WarehousePart(_Part):
    """A warehouse and where it is known outside."""

    code: str
    sellable: bool = True
    second_quality: str = ""
    loop_destination: str = ""
    shopify_location: str = ""
    partner: str = ""


class Periods(_Part):
    """Every period, in seconds; fractions are allowed."""

    scan: float = 2.0
    import_returns: float = 300.0
    import_overlap: float = 600.0
    export_receipts: float = 60.0
    import_refunds: float = 300.0
    refunds_overlap: float = 600.0
    refunds_lag: float = 120.0
    import_orders: float = 300.0
    export_inventory: float = 900.0
    compare_stock: float = 900.0
    export_to_erp: float = 3600.0
    upkeep: float = 60.0
    tell: float = 60.0
    purge: float = 24 * 3600.0
    compare_returns: float = 1800.0
    confirm_process: float = 60.0
    process_confirmation: float = 3600.0
    partial_wait: float = 72 * 3600.0
    doubt_settle: float = 600.0
    first_retry: float = 5.0
    longest_retry: float = 900.0
    exchange_alert: float = 24 * 3600.0
    incomplete_file: float = 24 * 3600.0
    connect: float = 10.0
    answer: float = 30.0
    first_pause: float = 30.0
    longest_pause: float = 600.0
    lease: float = 300.0


class SchedulePart(_Part):
    """Cron expressions in the merchant's time zone, for jobs that run at times of day instead of by a period; empty means by the period."""

    import_returns: str = ""
    export_receipts: str = ""
    import_refunds: str = ""
    import_orders: str = ""
    export_inventory: str = ""
    compare_returns: str = ""
    upkeep: str = ""
    tell: str = ""
    purge: str = ""
    compare_stock: str = ""
    export_to_erp: str = ""

    @field_validator("*")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        if value:
            try:
                CronSim(value, datetime(2026, 1, 1))  # noqa: DTZ001 - any moment; only the expression is looked at
            except CronSimError as fault:
                raise ValueError(f'{value!r} is no cron expression ({fault}); write minute, hour, day, month, weekday, like "30 2 * * *"') from fault
        return value


class PlacesPart(_Part):
    """Where things lie, relative to the workspace."""

    inbox: str = "inbox"
    outbox: str = "outbox"
    var: str = "var"
    mappings: str = "mappings"
    templates: str = "templates"


class ErpPart(_Part):
    """Files for an ERP; no formats, no files."""

    formats: tuple[Literal["csv", "xlsx"], ...] = ()
    outbox: str = ""


class DatabasePart(_Part):
    """The book; empty means the SQLite file in `var/`."""

    url: str = ""


class ServicePart(_Part):
    """The running service."""

    workers: int = 2
    pause_after: int = 5
    partners: tuple[str, ...] = ()
    listen: str = "127.0.0.1:8484"
    webhook_listen: str = ""
    hosts: tuple[str, ...] = ()
    https: bool = False


class TellPart(_Part):
    """Who is told what, when and how."""

    recap_at: str = "07:00"
    recap_to: tuple[str, ...] = ()
    alert_to: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    sender: str = ""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_security: Literal["starttls", "ssl", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: str = "env:GATEWAY_SMTP_PASSWORD"
    smtp_authorities: str = ""
    repeat_hours: float = 24.0
    group_seconds: float = 60.0
    tasks: tuple[str, ...] = ("process not confirmed", "process refused", "in doubt", "defect", "failed step")

    @field_validator("recap_at")
    @classmethod
    def _a_time(cls, value: str) -> str:
        try:
            time.fromisoformat(value)
        except ValueError as fault:
            raise ValueError(f'{value!r} is no time of day; write one like "07:00"') from fault
        return value

    @model_validator(mode="after")
    def _can_mail(self) -> TellPart:
        if (self.recap_to or self.alert_to) and not (self.smtp_host and self.sender):
            raise ValueError("somebody is to be told by mail, so smtp_host and sender must be set")
        if self.smtp_security == "none" and self.smtp_host not in ("", "127.0.0.1", "localhost", "::1"):
            raise ValueError('smtp_security = "none" is for loopback addresses only: mail would travel readable; use "starttls" or "ssl"')
        return self


class AgingPart(_Part):
    """After how long a return that does not move is shown."""

    amber_days: float = 14.0
    red_days: float = 28.0
    not_sent_hours: float = 24.0
    carrier_days: int = 3
    undecided_hours: float = 24.0
    unconfirmed_hours: float = 24.0
    refund_hours: float = 72.0


class RetentionPart(_Part):
    """How long what is finished is kept, in days; 0 keeps it for ever."""

    files: float = 180.0
    records: float = 730.0
    runs: float = 90.0
    messages: float = 180.0


class Settings(_Part):
    """The whole of `gateway.toml`."""

    merchant: MerchantPart
    loop: LoopPart = LoopPart()
    shopify: ShopifyPart
    database: DatabasePart = DatabasePart()
    places: PlacesPart = PlacesPart()
    erp: ErpPart = ErpPart()
    periods: Periods = Periods()
    schedule: SchedulePart = SchedulePart()
    service: ServicePart = ServicePart()
    tell: TellPart = TellPart()
    aging: AgingPart = AgingPart()
    retention: RetentionPart = RetentionPart()
    policy: PolicyPart = PolicyPart()
    warehouses: tuple[WarehousePart, ...]
    test_mode: bool = False

    @model_validator(mode="after")
    def _warehouses_agree(self) -> Settings:
        codes = [w.code for w in self.warehouses]
        for code in {c for c in codes if codes.count(c) > 1}:
            raise ValueError(f"warehouse {code} is listed twice")
        for w in self.warehouses:
            if w.second_quality and w.second_quality not in codes:
                raise ValueError(f"warehouse {w.code}: second_quality {w.second_quality!r} is not a listed warehouse")
            if w.second_quality and next(x for x in self.warehouses if x.code == w.second_quality).sellable:
                raise ValueError(f"warehouse {w.code}: its second-quality warehouse {w.second_quality} must have sellable = false")
            if not w.sellable and w.shopify_location:
                raise ValueError(f"warehouse {w.code} is not sellable and must have no shopify_location: it is never exported")
        return self
