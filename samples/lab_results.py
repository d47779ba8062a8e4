"""Laboratory results that name a specimen of ours: is it this person's, and where to see it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from samples.models import Aliquot, Specimen
from samples.selectors.codes import read_code
from trialsite.core import slots
from trialsite.core.ids import is_valid
from trialsite.labs.codes import RESULT_ACTIONS
from trialsite.labs.models import LabResult
from trialsite.labs.specimen_checks import register_specimen_check

#: A specimen's or an aliquot's code; what a hospital prints of its own is not ours to judge.
_OURS = re.compile(r"S[0-9A-Z]+-\d{6}(-\d{2})?-[0-9A-Z]")


def is_ours(ref: str) -> bool:
    """Whether an identifier has the shape of our own codes."""
    return bool(_OURS.fullmatch(read_code(ref)))


def check_specimens(subject_id: uuid.UUID, refs: Collection[str]) -> Mapping[str, str]:
    """What speaks against identifiers in the shape of ours; two queries."""
    codes = {ref: read_code(ref) for ref in refs if is_ours(ref)}
    if not codes:
        return {}
    named = set(codes.values())
    tubes = Specimen.objects.filter(code__in=named)
    known = {
        code: (subject, voided is not None)
        for code, subject, voided in tubes.values_list("code", "subject", "voided_at")
    }
    parts = Aliquot.objects.filter(code__in=named)
    known |= {
        code: (subject, voided is not None)
        for code, subject, voided in parts.values_list("code", "subject", "specimen__voided_at")
    }
    found = {ref: _problem(code, subject_id, known.get(code)) for ref, code in codes.items()}
    return {ref: problem for ref, problem in found.items() if problem}


def _problem(code: str, subject_id: uuid.UUID, known: tuple[uuid.UUID, bool] | None) -> str:
    if not is_valid(code):
        return _("%(code)s was not read whole: its check character does not fit.") % {"code": code}
    if known is None:
        return _("No sample of your sites has the code %(code)s.") % {"code": code}
    subject, voided = known
    if subject != subject_id:
        return _("%(code)s is a sample of another participant.") % {"code": code}
    return _("%(code)s has been voided.") % {"code": code} if voided else ""


def results_of(specimen: Specimen, aliquot: Aliquot | None) -> list[LabResult]:
    """The results measured in a specimen, or in one of its aliquots; two queries at most."""
    codes = [aliquot.code] if aliquot is not None else [specimen.code]
    if aliquot is None:
        codes += specimen.aliquots.values_list("code", flat=True)
    rows = LabResult.objects.filter(
        subject=specimen.subject_id, specimen_ref__in=codes, voided_at=None
    )
    return list(rows.select_related("panel__record").order_by("panel__collected_at", "analyte"))


def specimen_of_result(request: HttpRequest, result: LabResult) -> str:
    """Beside a result: the way to the sample that it names."""
    if not is_ours(result.specimen_ref):
        return ""
    context = {"code": read_code(result.specimen_ref)}
    return render_to_string("samples/_of_result.html", context, request=request)


register_specimen_check(check_specimens)
slots.fill(RESULT_ACTIONS, specimen_of_result)
