"""The companion record of a deviation: its form, and the way from the record to the deviation."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.casebook.models import CrfRecord
from trialsite.conduct.models import Deviation
from trialsite.conduct.services.deviations import FORM_OID
from trialsite.core import slots
from trialsite.crf.registry import RECORD_ACTIONS, register_companion

register_companion(FORM_OID, gettext_lazy("Protocol deviation"), Deviation)


def link_to_deviation(_request: HttpRequest, record: CrfRecord) -> str:
    """On a deviation's record: the page where it is read and decided."""
    if record.form_oid != FORM_OID:
        return ""
    found = Deviation.objects.filter(record=record).values_list("pk", flat=True).first()
    if found is None:
        return ""
    address = reverse("conduct:deviation", args=[found])
    return format_html('<a class="btn" href="{}">{}</a>', address, _("The deviation"))


slots.fill(RECORD_ACTIONS, link_to_deviation)
