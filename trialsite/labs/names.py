"""Analytes and panels in the reader's language, as the protocol names them."""

from __future__ import annotations

from django.utils.translation import get_language

from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.labs.codes import item_oid
from trialsite.protocol import Protocol
from trialsite.protocol.text import Text


def said(text: Text) -> str:
    """A text of the protocol in the present language."""
    return text.in_language(get_language() or "en")


def analyte_names(protocol: Protocol) -> dict[str, str]:
    """Key -> name of every analyte, in the order of the protocol."""
    return {analyte.key: said(analyte.name) for analyte in protocol.labs.analytes}


def item_label(oid: str) -> str:
    """The analyte a query speaks of; what the present protocol does not know keeps its OID."""
    try:
        protocol = protocol_of(current_version().pk)
    except ProtocolVersion.DoesNotExist:
        return oid
    names = {item_oid(key): name for key, name in analyte_names(protocol).items()}
    return names.get(oid, oid)
