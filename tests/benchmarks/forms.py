"""Saving and showing a form of thirty items, against Django doing the bare minimum."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import psycopg
from django.db import connection, models, transaction
from django.forms import BaseModelForm, modelform_factory
from django.test import Client
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import ModelSerializer

from tests import databases
from tests.benchmarks.measuring import in_turns, statements
from tests.benchmarks.registry import Found, benchmark
from tests.engine.models import Wide
from tests.factories import make_cast, make_record, make_subject, sign_in
from trialsite.access.context import context_of
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.core.context import Channel, acting
from trialsite.crf.entry import read_texts
from trialsite.crf.items import items_of
from trialsite.crf.pages import EntryPage, page_of
from trialsite.crf.registry import form
from trialsite.crf.services import save_crf

NAMES = list(items_of(Wide))


def bare_model() -> type[models.Model]:
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


@benchmark(
    issue=2,
    title="Saving a form of 30 items",
    means="What a nurse waits for after “Save”: rights, optimistic lock, checks of the values, "
    "row-level security and the audit trail, against a save that does none of it.",
    aims={
        "median, against a bare Django save": "at most 2.0x",
        "statements per save": "at most 4",
    },
)
def saving() -> Found:
    """One save in its own transaction, three of thirty values changed."""
    cast = make_cast()
    record = make_record(make_subject(cast.site), form_oid="F.TWIDE")
    ours, bare = _service_save(cast.nurse, record), _bare_save(record)
    timings = in_turns({"bare Django save": bare, "save_crf": ours}, calls=100)
    sent = statements(lambda: ours(0))
    base, saved = timings.values()
    return Found(
        [
            base.line(),
            saved.line(base),
            f"  statements per save: {sent} (BEGIN and COMMIT not counted)",
        ],
        {
            "median, against a bare Django save": saved.against(base),
            "statements per save": f"{sent}",
        },
    )


def _bare_save(record: CrfRecord) -> Callable[[int], None]:
    bare = bare_model()._default_manager.create(
        record_id=record.pk, site_id=record.site_id, subject_id=record.subject_id, time_zone="UTC"
    )

    def save(serial: int) -> None:
        with transaction.atomic():
            for name, text in _texts(serial).items():
                setattr(bare, name, Decimal(text))
            bare.save(force_update=True)

    return save


def _service_save(nurse: User, record: CrfRecord) -> Callable[[int], None]:
    context, state = context_of(nurse, Channel.UI), {"record": record}

    def save(serial: int) -> None:
        with acting(context):
            saved = save_crf(
                record=state["record"],
                entry=read_texts(Wide, _texts(serial)),
                by=nurse,
                base_version=state["record"].version,
            )
        state["record"] = saved.record

    return save


def filled() -> tuple[User, CrfRecord, Client]:
    """A nurse at a browser, before a form that was saved once."""
    cast = make_cast()
    record = make_record(make_subject(cast.site), form_oid="F.TWIDE")
    _service_save(cast.nurse, record)(0)
    with acting(context_of(cast.nurse, Channel.UI)):
        found = CrfRecord.objects.select_related("subject", "visit", "site").get(pk=record.pk)
    return cast.nurse, found, sign_in(cast.nurse, SERVER_NAME="localhost")


@benchmark(
    issue=2,
    title="Showing a form of 30 items",
    means="What the server spends when a nurse opens a form: the fields, against Django drawing "
    "the same thirty with its own widgets, and the whole page around them.",
    aims={
        "CPU of the fields": "at most 3 ms",
        "CPU of the fields, against a ModelForm": "at most 0.22x",
    },
)
def rendering() -> Found:
    """The fields alone, the same as a ModelForm, and the whole request in process."""
    nurse, record, client = filled()
    context, address = context_of(nurse, Channel.UI), f"/records/{record.pk}/"
    row = bare_model()(**dict.fromkeys(NAMES, Decimal(120)))
    bare = modelform_factory(type(row), fields=NAMES)
    page = _page_of(record, nurse)

    def drawn(_serial: int) -> None:
        with acting(context):
            page.fields()

    def read(_serial: int) -> None:
        with acting(context):
            _page_of(record, nurse).fields()

    def request(_serial: int) -> None:
        assert client.get(address).status_code == 200

    timings = in_turns(
        {
            "the same 30 fields as a ModelForm": lambda _serial: _draw(bare(instance=row)),
            "fields": drawn,
            "fields, with their queries": read,
            "whole request": request,
        },
        calls=40,
    )
    base, fields = list(timings.values())[:2]
    sent = statements(lambda: request(0))
    return Found(
        [*(each.line(base) for each in timings.values()), f"  statements per request: {sent}"],
        {
            "CPU of the fields": f"{fields.cpu / 1e3:.1f} ms",
            "CPU of the fields, against a ModelForm": f"{fields.cpu / base.cpu:.2f}x",
        },
    )


def _draw(form: BaseModelForm[Any]) -> None:
    str(form)


def _page_of(record: CrfRecord, nurse: User) -> EntryPage:
    with acting(context_of(nurse, Channel.UI)):
        page = page_of(record, nurse)
    assert page is not None
    return page


@benchmark(
    issue=2,
    title="Keeping what is typed",
    means="What the server spends each time the open page sends what was typed, so that nothing "
    "is lost when a tablet falls asleep; it happens every few seconds for everybody who types.",
    aims={"CPU, against opening the page": "less than 1.0x", "statements": "constant"},
)
def autosaving() -> Found:
    """One field and thirty fields sent as a draft, against the page they are typed into."""
    _nurse, record, client = filled()
    address, version = f"/records/{record.pk}/", str(record.version)

    def keep(serial: int, some: list[str]) -> None:
        texts = {name: str(100 + serial % 50) for name in some}
        answer = client.post(f"{address}draft/", texts | {"version": version, "page": "p"})
        assert answer.status_code == 200, answer.content

    def opened(_serial: int) -> None:
        assert client.get(address).status_code == 200

    timings = in_turns(
        {
            "the page opened": opened,
            "one field kept": lambda serial: keep(serial, NAMES[:1]),
            "thirty fields kept": lambda serial: keep(serial, NAMES),
        },
        calls=40,
    )
    base, one, _thirty = timings.values()
    sent = [statements(partial(keep, 0, some)) for some in (NAMES[:1], NAMES)]
    return Found(
        [
            *(each.line(base) for each in timings.values()),
            f"  statements: {sent[0]} for one field, {sent[1]} for thirty",
        ],
        {
            "CPU, against opening the page": f"{one.both / base.both:.2f}x",
            "statements": f"{sent[0]} and {sent[1]}",
        },
    )


@benchmark(
    issue=7,
    title="A form's data over REST",
    means="What the server spends when a program reads one record: sign-in, rights, row-level "
    "security and units included, against a plain serializer of the same columns without any.",
    aims={"CPU, against a plain ModelSerializer": "at most 0.33x", "CPU": "at most 1.2 ms"},
)
def reading() -> Found:
    """A record of thirty items as JSON, whole request, and the bare row by Django REST."""
    _nurse, record, client = filled()
    model, address = bare_model(), f"/api/v1/crf/{form(Wide.form_oid).slug}/{record.pk}/"
    model._default_manager.create(
        record_id=record.pk, site_id=record.site_id, subject_id=record.subject_id, time_zone="UTC"
    )
    meta = type("Meta", (), {"model": model, "fields": [*NAMES, "record_id", "site_id"]})
    serializer = type("Bare", (ModelSerializer,), {"Meta": meta})

    def plain(_serial: int) -> None:
        JSONRenderer().render(serializer(model._default_manager.get(pk=record.pk)).data)

    def ours(_serial: int) -> None:
        assert client.get(address).status_code == 200

    timings = in_turns({"plain ModelSerializer, no request": plain, "ours": ours}, calls=40)
    base, found = timings.values()
    sent = statements(lambda: ours(0))
    return Found(
        [base.line(), found.line(base), f"  statements per request: {sent}"],
        {
            "CPU, against a plain ModelSerializer": f"{found.both / base.both:.2f}x",
            "CPU": f"{found.cpu / 1e3:.1f} ms",
        },
    )
