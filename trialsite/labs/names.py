"""Analytes and panels in the reader's language, as the protocol names them."""

from __future__ import annotations

from django.utils.translation import get_language

from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.labs.codes import item_oid
from trialsite.protocol.labs import Labs
from trialsite.protocol.text import Text


def said(text: Text) -> str:
    """A text of the protocol in the present language."""
    return text.in_language(get_language() or "en")


def present_labs() -> Labs:
    """The lab section of the protocol now in force; empty before any is loaded."""
    try:
        return protocol_of(current_version().pk).labs
    except ProtocolVersion.DoesNotExist:
        return Labs()


def analyte_names(labs: Labs) -> dict[str, str]:
    """Key -> name of every analyte, in the order of the protocol."""
    return {analyte.key: said(analyte.name) for analyte in labs.analytes}


def item_label(oid: str) -> str:
    """The analyte a query speaks of; what the present protocol does not know keeps its OID."""
    names = {item_oid(key): name for key, name in analyte_names(present_labs()).items()}
    return names.get(oid, oid)
