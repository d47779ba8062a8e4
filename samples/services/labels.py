"""Labels printed, each printing kept; from the second on with its reason."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from samples.labels import LAYOUTS, Label, label_sheet
from samples.models import Aliquot, Box, LabelPrint, Specimen
from samples.services.refusing import sample_refusals
from samples.services.specimens import aliquot_code
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.protocols import protocol_of, visit_name
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError
from trialsite.crf.violations import ImpossibleError


@dataclass(frozen=True, slots=True)
class Wanted:
    """A label: of a specimen (number 0), or of an aliquot of it, made or planned."""

    specimen: Specimen
    number: int = 0

    @property
    def code(self) -> str:
        return aliquot_code(self.specimen, self.number) if self.number else self.specimen.code


def labels_of(specimens: Sequence[Specimen], *, aliquots: bool = True) -> list[Wanted]:
    """Each tube's label and, behind it, those of its aliquots: as many as were made or, before
    that, as many as the protocol plans."""
    made: dict[uuid.UUID, list[int]] = defaultdict(list)
    rows = Aliquot.objects.filter(specimen__in=[each.pk for each in specimens if aliquots])
    for key, number in rows.order_by("number").values_list("specimen", "number"):
        made[key].append(number)
    found = []
    for specimen in specimens:
        found.append(Wanted(specimen))
        planned = range(1, specimen.definition.aliquots + 1) if aliquots else range(0)
        found += [Wanted(specimen, number) for number in made[specimen.pk] or planned]
    return found


@transaction.atomic
def print_labels(
    *, wanted: Sequence[Wanted], layout: str, by: User, reason: str = "", skip: int = 0
) -> bytes:
    """The labels as PDF; what has been printed before needs the reason, which the trail keeps."""
    if not wanted:
        raise DomainError(_("There is no label to print."))
    if layout not in LAYOUTS:
        raise ImpossibleError({"layout": [_("Choose the sheet.")]})
    for each in wanted:
        by.require(Capability.HANDLE_SAMPLES, site=each.specimen.site_id)
        if each.specimen.voided_at is not None:
            raise DomainError(_("%(code)s has been voided.") % {"code": each.code})
    # Whoever prints the same at this moment waits here, so that copies are counted.
    keys = {each.specimen.pk for each in wanted}
    list(Specimen.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk"))
    codes = [each.code for each in wanted]
    before = Counter(LabelPrint.objects.filter(code__in=codes).values_list("code", flat=True))
    if before and not reason.strip():
        again = ", ".join(sorted(before)[:3])
        raise ImpossibleError(
            {"reason": [_("%(codes)s: printed before. Say why again.") % {"codes": again}]}
        )
    sheet, now = uuid.uuid4(), trial_now()
    rows = [
        LabelPrint(
            site_id=each.specimen.site_id,
            subject_id=each.specimen.subject_id,
            specimen=each.specimen,
            aliquot_number=each.number,
            code=each.code,
            copy=before[each.code] + 1,
            reason=reason.strip()[:300] if before[each.code] else "",
            sheet=sheet,
            printed_by=by,
            printed_at=now,
        )
        for each in wanted
    ]
    with because(reason.strip()[:300]), sample_refusals(LabelPrint):
        LabelPrint.objects.bulk_create(rows)
    return label_sheet([_label(each) for each in wanted], LAYOUTS[layout], at=now, skip=skip)


def box_labels(boxes: Sequence[Box], layout: str) -> bytes:
    """Labels of boxes as PDF. Where a box stands may change; its label says whose it is."""
    labels = [
        Label(
            each.code,
            (
                each.name or _("Box"),
                str(each.site),
                _("%(rows)d × %(columns)d positions")
                % {"rows": each.rows, "columns": each.columns},
            ),
        )
        for each in boxes
    ]
    return label_sheet(labels, LAYOUTS[layout], at=trial_now())


def _label(wanted: Wanted) -> Label:
    """Study, subject number, visit, kind, date: nothing that names a person."""
    specimen = wanted.specimen
    study = protocol_of(specimen.visit.protocol_version_id).study.study_id
    language = get_language() or "en"
    kind = specimen.definition.name.in_language(language)
    if wanted.number:
        kind = f"{kind} #{wanted.number}"
    taken = specimen.collected_at
    day = f"{taken:%Y-%m-%d %H:%M}" if taken else "____-__-__  __:__"
    return Label(
        wanted.code, (specimen.subject.label, visit_name(specimen.visit), kind, day, study)
    )
