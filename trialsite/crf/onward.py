"""After a save: what the person is told, and which page comes next."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from trialsite.access.http import StaffRequest
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.protocols import event_of
from trialsite.crf.pages import next_record, queries_of
from trialsite.crf.registry import form
from trialsite.protocol import EventRole
from trialsite.review.models import Query, QueryStatus

#: More questions than this are counted, and read on the form itself.
MOST_SAID = 3


def go_on(request: StaffRequest, record: CrfRecord, *, page: str, asked: bool) -> HttpResponse:
    """A form that is complete says what it is asked about, and leads on.

    A query that nobody hears of while the source is at hand is answered days later from
    memory: so it is said at once, with the way back. Then comes the next form of the visit,
    and after the last one the visit.
    """
    completing = request.POST.get("action") == "complete"
    done = _("Complete. Saved in the casebook.") if completing else _("Saved in the casebook.")
    messages.success(request, done)
    if asked:
        _tell_queries(request, record, page)
    return _next_page(record) if completing else redirect(page, record.pk)


def _next_page(record: CrfRecord) -> HttpResponse:
    following = next_record(record)
    if following is not None:
        return redirect("crf:record", following.pk)
    if record.visit is None or event_of(record.visit).role is EventRole.TREATMENT:
        return redirect("crf:record", record.pk)
    return redirect("visits:visit", record.visit.pk)


def _tell_queries(request: StaffRequest, record: CrfRecord, page: str) -> None:
    definition = form(record.form_oid)
    open_ones = [
        query for query in queries_of(record, definition) if query.status == QueryStatus.OPEN
    ]
    if not open_ones:
        return
    heading = ngettext("%(n)d query on “%(form)s”", "%(n)d queries on “%(form)s”", len(open_ones))
    text = format_html(
        '<a href="{}#query-{}">{}</a>{}',
        reverse(page, args=[record.pk]),
        open_ones[0].pk,
        heading % {"n": len(open_ones), "form": definition.title},
        format_html_join("", "<br>{}: {}", (_said(query) for query in open_ones[:MOST_SAID])),
    )
    messages.warning(request, text)


def _said(query: Query) -> tuple[str, str]:
    opening = next(iter(query.messages.all()), None)
    return str(getattr(query, "label", "")), opening.text if opening is not None else ""
