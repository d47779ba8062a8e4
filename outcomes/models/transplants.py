"""Liver transplantation: evaluated, listed, offered, transplanted, and how the graft works."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from outcomes.models.follow_up_codes import (
    DelistReason,
    Donor,
    GraftFunction,
    ListStatus,
    LtIndication,
    OfferAnswer,
    Suitability,
)
from outcomes.models.follow_up_conditions import not_after_day_zero
from trialsite.core.partial_dates import PartialDateField, not_before
from trialsite.crf.items import item
from trialsite.crf.models import CrfData, CrfRow, EditCheck, Section
from trialsite.crf.registry import register, register_rows

FORM_OID = "F.LT"


def _seen(label: str | Promise, oid: str, **metadata: Any) -> PartialDateField:
    """A date of something done with the living participant."""
    column = PartialDateField(label)
    return item(column, oid=f"I.LT.{oid}", required=False, observed=True, **metadata)


def _choice(label: str | Promise, oid: str, choices: Any) -> models.CharField[Any, Any]:
    name: Any = label
    column: models.CharField[Any, Any] = models.CharField(name, max_length=25, choices=choices)
    return item(column, oid=f"I.LT.{oid}", required=False)


@register
class Transplantation(CrfData):
    """The way of a participant to a liver transplantation (clinical C14), once for a subject.

    One record from the evaluation on: most end without a transplantation, and
    `transplanted_on` is the outcome. A second graft is dated here as well: the outcome is
    the first one.
    """

    form_oid = FORM_OID
    title = _("Liver transplantation")

    evaluated_on = _seen(_("Evaluated on"), "EVALDAT", sdtm="PR.PRSTDTC")
    suitability = _choice(_("Result of the evaluation"), "SUITED", Suitability)
    listed_on = _seen(_("Listed on"), "LTLIST", sdtm="DS.DSSTDTC")
    list_status = _choice(_("Status on the list"), "LTSTAT", ListStatus)
    delisted_on = item(
        PartialDateField(_("Taken off the list on")), oid="I.LT.DELDAT", required=False, past=True
    )
    delist_reason = _choice(_("Taken off the list because"), "DELREAS", DelistReason)
    transplanted_on = _seen(_("Transplanted on"), "LTDAT", sdtm="PR.PRSTDTC")
    transplanted_time = item(
        models.TimeField(_("Time of the transplantation")), oid="I.LT.LTTIM", required=False
    )
    hospital = item(
        models.CharField(_("Hospital"), max_length=200), oid="I.LT.LTHOSP", required=False
    )
    donor = _choice(_("Donor"), "LTDONOR", Donor)
    indication = _choice(_("Indication"), "LTINDC", LtIndication)
    indication_in_words = item(
        models.CharField(_("Indication in words"), max_length=300),
        oid="I.LT.LTINDSP",
        required=False,
    )
    explant_on = item(
        PartialDateField(_("Date of the pathology")), oid="I.LT.EXPDAT", required=False, past=True
    )
    explant_pathology = item(
        models.TextField(_("Pathology of the explanted liver")), oid="I.LT.EXPLANT", required=False
    )
    graft_seen_on = _seen(_("Graft last seen on"), "GRAFDAT")
    graft_function = _choice(_("Function of the graft"), "GRAFT", GraftFunction)
    graft_failed_on = _seen(_("Graft lost on"), "GRAFAIL")
    again_on = _seen(_("Transplanted again on"), "LTAGAIN")

    sections = (
        Section(title=_("Evaluation"), items=("evaluated_on", "suitability")),
        Section(
            title=_("Waiting list"),
            items=("listed_on", "list_status", "delisted_on", "delist_reason"),
        ),
        Section(
            title=_("Transplantation"),
            items=(
                "transplanted_on",
                "transplanted_time",
                "hospital",
                "donor",
                "indication",
                "indication_in_words",
            ),
        ),
        Section(title=_("Explanted liver"), items=("explant_on", "explant_pathology")),
        Section(
            title=_("Graft"),
            items=("graft_seen_on", "graft_function", "graft_failed_on", "again_on"),
        ),
    )

    edit_checks = (
        EditCheck(
            oid="LT.LISTED_UNSEEN",
            holds=Q(not_before("listed_on", "evaluated_on")),
            message=_("Listed before the evaluation? Please confirm the dates."),
            item="listed_on",
        ),
        EditCheck(
            oid="LT.UNLISTED",
            holds=Q(not_before("transplanted_on", "listed_on")),
            message=_("Transplanted before being listed? Please confirm the dates."),
            item="transplanted_on",
        ),
        EditCheck(
            oid="LT.DELISTED",
            holds=Q(transplanted_on__isnull=True)
            | Q(delisted_on__isnull=True)
            | Q(not_before("delisted_on", "transplanted_on")),
            message=_("Taken off the list before the transplantation? Please confirm."),
            item="delisted_on",
        ),
        EditCheck(
            oid="LT.DELIST_REASON",
            holds=Q(delisted_on__isnull=True)
            | Q(delist_reason__isnull=False)
            | Q(transplanted_on__isnull=False),
            message=_("Taken off the list: why?"),
            item="delist_reason",
        ),
        EditCheck(
            oid="LT.BEFORE_TREATMENT",
            holds=~not_after_day_zero("transplanted_on"),
            message=_("A transplantation lies after day zero. Which of the dates is wrong?"),
            item="transplanted_on",
        ),
        EditCheck(
            oid="LT.DONOR",
            holds=Q(transplanted_on__isnull=True) | Q(donor__isnull=False),
            message=_("Which type of donor?"),
            item="donor",
        ),
        EditCheck(
            oid="LT.INDICATION",
            holds=Q(transplanted_on__isnull=True) | Q(indication__isnull=False),
            message=_("For which indication?"),
            item="indication",
        ),
        EditCheck(
            oid="LT.INDICATION_SAID",
            holds=~Q(indication=LtIndication.OTHER) | Q(indication_in_words__isnull=False),
            message=_("Another indication: say which."),
            item="indication_in_words",
        ),
        EditCheck(
            oid="LT.GRAFT_LOST",
            holds=~Q(graft_function__in=[GraftFunction.FAILED, GraftFunction.NON_FUNCTION])
            | Q(graft_failed_on__isnull=False),
            message=_("The graft is lost: since when?"),
            item="graft_failed_on",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=not_before("delisted_on", "listed_on"),
                name="transplantation_listed_then_delisted",
                violation_error_message=_("Nobody leaves the list before being listed."),
            ),
            *(
                models.CheckConstraint(
                    condition=not_before(column, "transplanted_on"),
                    name=f"transplantation_then_{column}",
                    violation_error_message=_("This lies before the transplantation."),
                )
                for column in ("explant_on", "graft_seen_on", "graft_failed_on", "again_on")
            ),
            models.CheckConstraint(
                condition=Q(transplanted_time=None)
                | Q(Exact(Length("transplanted_on"), 10), transplanted_on__isnull=False),
                name="transplantation_time_has_its_day",
                violation_error_message=_("A time needs its full date."),
            ),
        ]


@register_rows
class LiverOffer(CrfRow):
    """An offer of a liver, and what was answered."""

    form_oid = FORM_OID
    group_oid = "G.LTOFF"
    title = _("Offers")

    offered_on = item(PartialDateField(_("Offered on")), oid="I.LTOFF.DAT", past=True)
    donor = item(models.CharField(_("Donor"), max_length=25, choices=Donor), oid="I.LTOFF.DONOR")
    answer = item(
        models.CharField(_("Answer"), max_length=15, choices=OfferAnswer), oid="I.LTOFF.ANSWER"
    )
    reason = item(
        models.CharField(_("Because"), max_length=300), oid="I.LTOFF.REASON", required=False
    )
