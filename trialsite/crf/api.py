"""The endpoints of the forms' data, one set made from each definition.

Lists are rectangular, one row a record, as statistics programs want them; a record's own
address takes and gives entry, read by the same code as the page (trust DI9).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint, PreconditionFailed, etag, expected_version
from trialsite.casebook.answers import RecordAnswer, VoidBody, said_record
from trialsite.casebook.api import ENTERS, SEES
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject, Visit
from trialsite.casebook.selectors import records_of
from trialsite.casebook.services import open_record
from trialsite.crf.answers import (
    EntryBody,
    FormBody,
    NewRecord,
    entry_answer,
    paths_of,
    row_answer,
    said_entry,
    said_row,
)
from trialsite.crf.entry import Entry, read_values
from trialsite.crf.models import CrfRow, ItemData
from trialsite.crf.registry import Form, forms
from trialsite.crf.services import (
    IncompleteError,
    ReasonRequiredError,
    Saved,
    save_crf,
    save_row,
    void_row,
)


class FormEndpoint(Endpoint):
    """Base of the endpoints of one table of a form's data."""

    form: ClassVar[Form]
    table: ClassVar[type[ItemData]]

    def rows(self) -> Any:
        return self.table.objects.visible_to(self.request.user)

    def record_of(self, pk: uuid.UUID, *, locked: bool = False) -> CrfRecord:
        seen = CrfRecord.objects.visible_to(self.request.user)
        if locked:
            seen = seen.select_for_update(no_key=True)
        record: CrfRecord = self.found(seen, pk=pk, form_oid=self.form.oid)
        return record

    def rectangle(self, rows: Any) -> Response:
        """The narrowed rows, one query for each page whatever its length."""
        paths = paths_of(self.table)
        ordered = rows.order_by(
            "site__code", "subject__screening_number", "record__repeat_key", "pk"
        ).values_list(*paths.values())
        return self.page(ordered, lambda row: said_row(paths, row))

    def entry(self, body: dict[str, Any]) -> Entry:
        """What was sent, as the form's page would read it; else 400 with errors by item."""
        parts = {name: body[name] for name in ("values", "missing", "confirmed", "units")}
        entry = read_values(self.table, **parts)
        if entry.errors:
            raise ValidationError(entry.errors)
        return entry

    def answer(
        self, record: CrfRecord, row: ItemData | None, saved: Saved | None = None, code: int = 200
    ) -> Response:
        version, head = record.version, {}
        if isinstance(row, CrfRow):
            version = row.version
            head = {
                "row": row.pk,
                "number": row.number,
                "voided_at": row.voided_at,
                "void_reason": row.void_reason,
            }
        body = {
            "record": record.pk,
            "version": version,
            "status": record.status,
            **head,
            **said_entry(self.table, row),
            "asked": saved.asked if saved else {},
        }
        return Response(body, status=code, headers={"ETag": etag(version)})


@contextmanager
def refusals_by_item() -> Iterator[None]:
    """What the service refuses for the sake of some item, said at that item."""
    try:
        yield
    except IncompleteError as error:
        raise ValidationError({name: [text] for name, text in error.problems.items()}) from error
    except ReasonRequiredError as error:
        raise ValidationError({"reason": [str(error)]}) from error


class FormData(FormEndpoint):
    """Records of a form with their data."""

    policy = {"GET": SEES, "PUT": ENTERS}
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "visit": Filter("record__visit_id", uuid.UUID),
        "status": Filter("record__status", choices=tuple(RecordStatus.values)),
    }

    def list(self, request: Request) -> Response:
        """One row for each record with data; voided records are left out."""
        return self.rectangle(self.rows().filter(record__voided_at=None))

    def retrieve(self, request: Request, record: uuid.UUID) -> Response:
        """One record's data as they can be sent back with PUT."""
        return self.answer(found := self.record_of(record), self._row(found))

    def update(self, request: Request, record: uuid.UUID) -> Response:
        """Save the whole form; an item that is not sent is emptied.

        Completed data change only with a `reason`. `complete` completes the form.
        """
        found, version = self.record_of(record), expected_version(request)
        body = self.body(FormBody)
        with refusals_by_item():
            saved = save_crf(
                record=found,
                entry=self.entry(body),
                by=self.request.user,
                base_version=version,
                complete=body["complete"],
                reason=body["reason"],
            )
        return self.answer(saved.record, saved.row, saved)

    def _row(self, record: CrfRecord) -> ItemData | None:
        row: ItemData | None = self.rows().filter(pk=record.pk).first()
        return row


class RepeatingForm(FormEndpoint):
    """A form with many records of one subject or visit."""

    policy = {"POST": ENTERS}

    @extend_schema(request=NewRecord, responses={201: RecordAnswer})
    def create(self, request: Request) -> Response:
        """Open one more record; its data are then saved at its own address."""
        body = self.body(NewRecord)
        subject = Subject.objects.visible_to(self.request.user).filter(pk=body["subject"]).first()
        if subject is None:
            raise ValidationError({"subject": [_("There is no such subject for you.")]})
        visits = Visit.objects.visible_to(self.request.user).filter(subject=subject)
        if body["visit"] and not visits.filter(pk=body["visit"]).exists():
            raise ValidationError({"visit": [_("This subject has no such visit.")]})
        record = open_record(
            subject=subject,
            form_oid=self.form.oid,
            visit_id=body["visit"],
            by=self.request.user,
        )
        made = said_record(records_of(self.request.user).get(pk=record.pk))
        headers = {"ETag": etag(record.version)}
        return Response(made, status.HTTP_201_CREATED, headers=headers)


class GroupEndpoint(FormEndpoint):
    """Base of the endpoints of a repeating item group."""

    table: ClassVar[type[CrfRow]]

    def row_of(self, record: CrfRecord, pk: uuid.UUID) -> CrfRow:
        row: CrfRow = self.found(self.rows(), pk=pk, record=record)
        return row


class AllRows(GroupEndpoint):
    """The rows of a repeating item group, over all records of the form."""

    policy = {"GET": SEES}
    filters = FormData.filters

    def list(self, request: Request) -> Response:
        """Standing rows of standing records."""
        return self.rectangle(self.rows().filter(record__voided_at=None, voided_at=None))


class GroupRows(GroupEndpoint):
    """The rows of a repeating item group on one record. Each row has its own version."""

    policy = {"GET": SEES, "POST": ENTERS, "PUT": ENTERS}

    def list(self, request: Request, record: uuid.UUID) -> Response:
        """The record's standing rows."""
        found = self.record_of(record)
        return self.rectangle(self.rows().filter(record=found, voided_at=None))

    def retrieve(self, request: Request, record: uuid.UUID, row: uuid.UUID) -> Response:
        found = self.record_of(record)
        return self.answer(found, self.row_of(found, row))

    def create(self, request: Request, record: uuid.UUID) -> Response:
        """Add a row; its number was never used before."""
        return self.save(self.record_of(record), code=status.HTTP_201_CREATED)

    def update(self, request: Request, record: uuid.UUID, row: uuid.UUID) -> Response:
        """Save a whole row; an item that is not sent is emptied."""
        found, version = self.record_of(record), expected_version(request)
        target = self.row_of(found, row)
        return self.save(found, row_id=target.pk, base_version=version)

    def save(self, record: CrfRecord, *, code: int = 200, **options: Any) -> Response:
        body = self.body(EntryBody)
        with refusals_by_item():
            saved = save_row(
                record=record,
                group=self.table,
                entry=self.entry(body),
                by=self.request.user,
                reason=body["reason"],
                **options,
            )
        return self.answer(saved.record, saved.row, saved, code)


class GroupRowVoid(GroupEndpoint):
    policy = {"POST": ENTERS}
    matches = True

    def create(self, request: Request, record: uuid.UUID, row: uuid.UUID) -> Response:
        """Take a row out; it stays in the trail, and its number is not used again."""
        version, reason = expected_version(request), self.body(VoidBody)["reason"]
        found = self.record_of(record, locked=True)
        if self.row_of(found, row).version != version:
            raise PreconditionFailed(_("Somebody else changed this row. Read it again."))
        voided = void_row(
            record=found, group=self.table, row_id=row, reason=reason, by=self.request.user
        )
        return self.answer(found, voided)


def slug_of(group: type[CrfRow]) -> str:
    """A group in an address: `G.MSC.READINGS` -> `msc-readings`."""
    return group.group_oid.partition(".")[2].lower().replace(".", "-")


def _made(base: type[Any], form: Form, table: type[ItemData], **schemas: Any) -> Any:
    """The base for one table, with that table's own schema."""
    made = type(f"{table.__name__}{base.__name__}", (base,), {"form": form, "table": table})
    stated = {name: each for name, each in schemas.items() if hasattr(base, name)}
    return extend_schema_view(**stated)(made)


def _form_routes(form: Form) -> Iterator[URLPattern]:
    if form.data is not None:
        yield from _data_routes(form, form.data)
    for group in form.groups:
        yield from _group_routes(form, group)


def _data_routes(form: Form, table: type[ItemData]) -> Iterator[URLPattern]:
    data, one = entry_answer(table), f"crf/{form.slug}/<uuid:record>/"
    view = _made(
        FormData,
        form,
        table,
        list=extend_schema(responses=row_answer(table)(many=True)),
        retrieve=extend_schema(responses=data),
        update=extend_schema(request=FormBody, responses=data),
    )
    if form.repeating:
        view = _with_creation(view, table)
        yield path(f"crf/{form.slug}/", view.as_view({"get": "list", "post": "create"}))
    else:
        yield path(f"crf/{form.slug}/", view.as_view({"get": "list"}))
    yield path(one, view.as_view({"get": "retrieve", "put": "update"}))


def _with_creation(view: Any, table: type[ItemData]) -> Any:
    policy = {**FormData.policy, **RepeatingForm.policy}
    return type(f"{table.__name__}Records", (view, RepeatingForm), {"policy": policy})


def _group_routes(form: Form, group: type[CrfRow]) -> Iterator[URLPattern]:
    data, rows, name = entry_answer(group), row_answer(group)(many=True), slug_of(group)
    everywhere = _made(AllRows, form, group, list=extend_schema(responses=rows))
    view = _made(
        GroupRows,
        form,
        group,
        list=extend_schema(responses=rows),
        retrieve=extend_schema(responses=data),
        create=extend_schema(request=EntryBody, responses={201: data}),
        update=extend_schema(request=EntryBody, responses=data),
    )
    void = _made(GroupRowVoid, form, group, create=extend_schema(request=VoidBody, responses=data))
    one = f"crf/{form.slug}/<uuid:record>/{name}/"
    yield path(f"crf/{form.slug}/all/{name}/", everywhere.as_view({"get": "list"}))
    yield path(one, view.as_view({"get": "list", "post": "create"}))
    yield path(f"{one}<uuid:row>/", view.as_view({"get": "retrieve", "put": "update"}))
    yield path(f"{one}<uuid:row>/void/", void.as_view({"post": "create"}))


routes: list[URLPattern] = [route for form in forms().values() for route in _form_routes(form)]
