"""Saving and showing a form of thirty items, against Django doing the bare minimum."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext

from tests import databases
from tests.benchmarks.measuring import in_turns
from tests.engine.models import Wide
from tests.factories import make_cast, make_record, make_subject, sign_in
from trialsite.access.context import context_of
from trialsite.casebook.models import CrfRecord
from trialsite.core.context import Channel, acting
from trialsite.crf.entry import read_texts
from trialsite.crf.items import items_of
from trialsite.crf.pages import page_of
from trialsite.crf.services import save_crf

NAMES = list(items_of(Wide))


def _bare_model() -> type[models.Model]:
    """The same thirty columns in a table without trigger, policy or constraint."""
    with psycopg.connect(databases.owner_url(connection.settings_dict["NAME"])) as owner:
        owner.execute("CREATE TABLE bench_bare (LIKE engine_wide)")
        owner.execute("ALTER TABLE bench_bare ADD PRIMARY KEY (record_id)")
        owner.execute("GRANT ALL ON bench_bare TO trialsite_app")
    columns: dict[str, Any] = {
        name: models.DecimalField(max_digits=8, decimal_places=2, null=True) for name in NAMES
    }
    meta = type("Meta", (), {"managed": False, "db_table": "bench_bare", "app_label": "engine"})
    return type(
        "BenchBare",
        (models.Model,),
        {
            "__module__": __name__,
            "Meta": meta,
            "record_id": models.UUIDField(primary_key=True),
            "site_id": models.IntegerField(),
            "subject_id": models.UUIDField(),
            "missing": models.JSONField(default=dict),
            "confirmed": models.JSONField(default=dict),
            "time_zone": models.CharField(max_length=64),
            **columns,
        },
    )


def _texts(serial: int) -> dict[str, str]:
    """Thirty values of which three change from save to save."""
    return {name: str(120 + (serial % 30 if n < 3 else 0)) for n, name in enumerate(NAMES)}


def saving() -> list[str]:
    """One save in its own transaction, three of thirty values changed."""
    cast = make_cast()
    nurse, record = cast.nurse, make_record(make_subject(cast.site), form_oid="F.TWIDE")
    bare = _bare_model()._default_manager.create(
        record_id=record.pk, site_id=record.site_id, subject_id=record.subject_id, time_zone="UTC"
    )
    context = context_of(nurse, Channel.UI)
    state = {"record": record}

    def bare_save(serial: int) -> None:
        with transaction.atomic():
            for name, text in _texts(serial).items():
                setattr(bare, name, Decimal(text))
            bare.save(force_update=True)

    def service_save(serial: int) -> None:
        with acting(context):
            saved = save_crf(
                record=state["record"],
                entry=read_texts(Wide, _texts(serial)),
                by=nurse,
                base_version=state["record"].version,
            )
        state["record"] = saved.record

    timings = in_turns({"bare Django save": bare_save, "save_crf": service_save}, calls=100)
    with CaptureQueriesContext(connection) as queries:
        service_save(0)
    base = timings["bare Django save"]
    return [
        "Saving 30 items (rights, optimistic lock, audit trail, row-level security, checks)",
        base.line(),
        timings["save_crf"].line(base),
        f"  statements per save: {len(queries)} (BEGIN and COMMIT not counted)",
    ]


def rendering() -> list[str]:
    """The page of the form just saved: its fields alone, and the whole request in process."""
    from trialsite.access.models import User

    nurse = User.objects.get(full_name="Nora Nurse")
    context = context_of(nurse, Channel.UI)
    with acting(context):
        record = CrfRecord.objects.select_related("subject", "visit", "site").get(
            form_oid="F.TWIDE"
        )
    client = sign_in(nurse, SERVER_NAME="localhost")
    address = f"/records/{record.pk}/"

    def fields(_serial: int) -> None:
        with acting(context):
            page = page_of(record, nurse)
            assert page is not None
            page.fields()

    def request(_serial: int) -> None:
        assert client.get(address).status_code == 200

    timings = in_turns({"fields with their queries": fields, "whole request": request}, calls=40)
    with CaptureQueriesContext(connection) as queries:
        request(0)
    return [
        "Showing a form of 30 items",
        *(timing.line(timings["fields with their queries"]) for timing in timings.values()),
        f"  statements per request: {len(queries)}",
    ]
