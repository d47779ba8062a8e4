"""Whether anything that a comparison was made from has changed: one short text to compare.

Reading and comparing a year of results takes a minute, and nobody's page should wait for it.
So they are done without any lock; when the results are taken, and when somebody says what
becomes of a line, only this is looked at again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import Func, Q, QuerySet, TextField
from django.db.models.functions import MD5

from trialsite.casebook.models import CrfRecord, Subject, Visit
from trialsite.casebook.selectors import current_version
from trialsite.labs.codes import FORM_OID
from trialsite.labs.models import Laboratory
from trialsite.labs.people import forms_of_people


class _RowVersion(Func):
    """Where PostgreSQL keeps this version of a row and who wrote it: another after any change."""

    template = "ctid::text || '/' || xmin::text"
    output_field = TextField()


def subjects_named(site_id: int, labels: Collection[str]) -> QuerySet[Subject]:
    """The subjects of a site whom these numbers name."""
    return Subject.objects.filter(
        Q(screening_number__in=labels) | Q(number__in=labels), site_id=site_id
    )


def stamp_of(laboratory: Laboratory, labels: Collection[str]) -> str:
    """What stands about the people whom a file names, and what their lines are judged by.

    A result is saved with its record, so that records tell of results too. A stamp taken
    before reading and found the same later: nothing that was read has changed between.
    """
    subjects = subjects_named(laboratory.site_id, labels)
    own = list(subjects.values_list("pk", flat=True))
    forms = {FORM_OID, *forms_of_people()}
    parts = [
        str(current_version().pk),
        _versions(Laboratory.objects.filter(pk=laboratory.pk)),
        _versions(subjects),
        _versions(Visit.objects.filter(subject__in=own)),
        _versions(CrfRecord.objects.filter(subject__in=own, form_oid__in=forms)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _versions(rows: QuerySet[Any]) -> str:
    versions = StringAgg(_RowVersion(), ",", order_by="pk")
    found: str | None = rows.order_by().aggregate(all=MD5(versions))["all"]
    return found or ""
