"""Words of the overview that come from the protocol, and those of its bands."""

from __future__ import annotations

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.dashboard.overview.sources import LAST_BAND


def criteria_of() -> dict[str, str]:
    """The criteria in the protocol's words and order, of the version in force."""
    try:
        criteria = protocol_of(current_version().pk).criteria
    except ProtocolVersion.DoesNotExist:
        return {}
    language = get_language() or "en"
    return {each.id: each.text.in_language(language) for each in criteria}


def band_word(band: int) -> str:
    """An hour of effective time, in words; the last has no upper end."""
    if band >= LAST_BAND:
        return _("%(hours)s h or more") % {"hours": LAST_BAND}
    return _("%(from)s to %(to)s h") % {"from": band, "to": band + 1}
