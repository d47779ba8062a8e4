"""Stating how a laboratory's files are read; every version is kept."""

from __future__ import annotations

from django.db import transaction

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.labs.importing.mapping import read_lab_mapping
from trialsite.labs.importing.models import LabFileMapping
from trialsite.labs.models import Laboratory
from trialsite.labs.names import present_labs


@transaction.atomic
def keep_mapping(*, laboratory: Laboratory, text: str, by: User) -> LabFileMapping:
    """State how a laboratory's files are read: one more version, if it says anything new.

    Raises MappingError with the line of every problem.
    """
    by.require(Capability.MANAGE_LABS, site=laboratory.site_id)
    laboratory = Laboratory.objects.select_for_update(no_key=True).get(pk=laboratory.pk)
    text = text.replace("\r\n", "\n").replace("\x00", "").strip() + "\n"
    read_lab_mapping(text, present_labs())
    last = mapping_of(laboratory)
    if last is not None and last.text == text:
        return last
    return LabFileMapping.objects.create(
        site_id=laboratory.site_id,
        laboratory=laboratory,
        version=last.version + 1 if last else 1,
        text=text,
        created_by=by,
        created_at=trial_now(),
    )


def mapping_of(laboratory: Laboratory) -> LabFileMapping | None:
    """How this laboratory's files are read at present."""
    rows = LabFileMapping.objects.filter(laboratory=laboratory)
    return rows.order_by("-version").first()
