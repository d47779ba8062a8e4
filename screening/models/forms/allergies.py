"""Allergies to what the treatment uses, agent by agent.

The protocol names agents by the names of the items here; `severity_of` answers for one.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from screening.models.forms.codes import Severity
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register

#: What the circuit brings into contact with blood; each is an item of the form.
AGENTS = ("plasma", "heparin", "protamine", "dmso", "nafamostat", "other")


def _status(label: object, code: str, *, required: bool = True) -> models.CharField[str, str]:
    column = models.CharField(label, max_length=10, choices=Severity)  # type: ignore[arg-type]
    return item(column, oid=f"I.AL.{code}", sdtm="MH.MHSEV", required=required)


def _reaction(code: str) -> models.CharField[str, str]:
    column = models.CharField(_("Reaction"), max_length=200)
    return item(column, oid=f"I.AL.{code}RE", sdtm="SUPPMH.REACTION", required=False)


def _unexplained(agent: str) -> EditCheck:
    told = f"{agent}_reaction"
    return EditCheck(
        oid=f"AL.{agent.upper()}_REACTION",
        holds=Q(**{agent: Severity.NONE})
        | Q(**{f"{told}__isnull": False})
        | Q(missing__has_key=told),
        message=_("An allergy is noted without its reaction."),
        item=told,
    )


@register
class Allergies(CrfData):
    """Known allergies, each agent by severity: what excludes is severe."""

    form_oid = "F.AL"
    title = _("Allergies")

    none_known = item(
        models.BooleanField(_("No known allergies")),
        oid="I.AL.NKA",
        sdtm="MH.MHOCCUR",
        required=False,
    )
    plasma = _status(_("Plasma or another blood product"), "PLASMA")
    plasma_reaction = _reaction("PLASMA")
    heparin = _status(_("Heparin"), "HEPARIN")
    heparin_reaction = _reaction("HEPARIN")
    protamine = _status(_("Protamine"), "PROTAMIN")
    protamine_reaction = _reaction("PROTAMIN")
    dmso = _status(_("Dimethyl sulfoxide (DMSO)"), "DMSO")
    dmso_reaction = _reaction("DMSO")
    nafamostat = _status(_("Nafamostat"), "NAFAMOST")
    nafamostat_reaction = _reaction("NAFAMOST")
    other = _status(_("Another agent"), "OTHER", required=False)
    other_agent = item(
        models.CharField(_("Which agent"), max_length=200),
        oid="I.AL.OTHERSP",
        sdtm="MH.MHTERM",
        required=False,
    )
    other_reaction = _reaction("OTHER")

    sections = (
        Section(title=_("Statement"), items=("none_known",)),
        Section(
            title=_("Agents of the treatment"),
            items=tuple(name for agent in AGENTS[:-1] for name in (agent, f"{agent}_reaction")),
        ),
        Section(title=_("Other agents"), items=("other", "other_agent", "other_reaction")),
    )

    edit_checks = (
        EditCheck(
            oid="AL.NONE_KNOWN",
            holds=Q(none_known=False)
            | ~Q(
                Q(plasma__in=Severity.values[1:])
                | Q(heparin__in=Severity.values[1:])
                | Q(protamine__in=Severity.values[1:])
                | Q(dmso__in=Severity.values[1:])
                | Q(nafamostat__in=Severity.values[1:])
                | Q(other__in=Severity.values[1:])
            ),
            message=_("“No known allergies” is stated, and an allergy is noted."),
            item="none_known",
        ),
        EditCheck(
            oid="AL.OTHER_NAMED",
            holds=Q(other=Severity.NONE) | Q(other_agent__isnull=False),
            message=_("Please name the other agent."),
            item="other_agent",
        ),
        *map(_unexplained, AGENTS),
    )


def severity_of(row: Allergies, agent: str) -> Severity | None:
    """How allergic the person is to an agent; None where the form does not say.

    An agent that is no item of the form is answered by nobody: LookupError.
    """
    if agent not in AGENTS:
        raise LookupError(agent)
    noted = getattr(row, agent)
    if noted is None and row.none_known and agent not in row.missing:
        return Severity.NONE
    return None if noted is None else Severity(noted)
