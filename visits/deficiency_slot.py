"""On a session's record: the way to report a deficiency of its devices."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord
from trialsite.core import slots
from trialsite.crf.registry import RECORD_ACTIONS
from visits.models.sessions import FORM_OID


def report_deficiency_of_session(request: HttpRequest, record: CrfRecord) -> str:
    """The link that brings the session along, for whoever may enter data here."""
    person = request.user
    if record.form_oid != FORM_OID or record.voided_at is not None:
        return ""
    if not (isinstance(person, User) and person.can(Capability.ENTER_DATA, site=record.site_id)):
        return ""
    address = f"{reverse('visits:new_deficiency')}?session={record.pk}"
    return format_html('<a class="btn btn-quiet" href="{}">{}</a>', address, _("Device deficiency"))


slots.fill(RECORD_ACTIONS, report_deficiency_of_session)
