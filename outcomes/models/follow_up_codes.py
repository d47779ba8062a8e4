"""What the forms of survival follow-up, transplantation and disposition let one choose from."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class SurvivalStatus(models.TextChoices):
    """What a contact found out (CDISC SS, SRVSTAT)."""

    ALIVE = "ALIVE", _("Alive")
    DEAD = "DEAD", pgettext_lazy("survival", "Dead")
    UNKNOWN = "UNKNOWN", pgettext_lazy("survival", "Unknown")


class ContactWay(models.TextChoices):
    """By which way a contact was made or tried (CDASH CONTMODE)."""

    TELEPHONE = "TELEPHONE CALL", _("Telephone")
    IN_PERSON = "IN PERSON", _("In person")
    HOME = "HOME VISIT", _("Visit at home")
    VIDEO = "VIDEO CALL", _("Video call")
    MESSAGE = "MESSAGE", _("Message")
    LETTER = "LETTER", _("Letter")
    RECORDS = "RECORDS", _("Look into records")


class Informant(models.TextChoices):
    """Who or what told of the participant's survival."""

    PARTICIPANT = "PARTICIPANT", _("The participant")
    FAMILY = "FAMILY", _("Family")
    PHYSICIAN = "PHYSICIAN", pgettext_lazy("informant", "Another physician")
    HOSPITAL = "HOSPITAL", _("Hospital record")
    REGISTRY = "REGISTRY", _("Registry")
    OTHER = "OTHER", pgettext_lazy("source", "Other")


class AliveSource(models.TextChoices):
    """On what it rests that the participant was alive on a day."""

    CONTACT = "CONTACT", _("Spoken to or seen")
    FAMILY = "FAMILY", _("Family")
    HOSPITAL = "HOSPITAL", _("Hospital record")
    LABORATORY = "LABORATORY", _("Laboratory result")
    REGISTRY = "REGISTRY", _("Registry")
    OTHER = "OTHER", pgettext_lazy("source", "Other")


class AttemptResult(models.TextChoices):
    """What became of one attempt to reach the participant or an informant."""

    REACHED = "REACHED", _("Reached")
    NO_ANSWER = "NO ANSWER", _("No answer")
    MESSAGE_LEFT = "MESSAGE LEFT", _("Message left")
    NOT_VALID = "NOT VALID", _("Number or address not valid")
    REFUSED = "REFUSED", _("Contact refused")
    OTHER = "OTHER", pgettext_lazy("attempt", "Other")


#: Attempts that reached nobody; only these count towards the rule of loss to follow-up.
UNANSWERED = tuple(
    each for each in AttemptResult if each not in (AttemptResult.REACHED, AttemptResult.REFUSED)
)


class Suitability(models.TextChoices):
    """What an evaluation for transplantation came to."""

    SUITABLE = "SUITABLE", pgettext_lazy("transplantation", "Suitable")
    NOT_SUITABLE = "NOT SUITABLE", pgettext_lazy("transplantation", "Not suitable")
    REFUSED = "REFUSED", _("Declined by the participant or family")
    PENDING = "PENDING", pgettext_lazy("transplantation", "Not yet decided")


class ListStatus(models.TextChoices):
    """Where a participant stands on the waiting list."""

    SUPER_URGENT = "SUPER-URGENT", _("Super-urgent")
    ACTIVE = "ACTIVE", pgettext_lazy("waiting list", "Active")
    SUSPENDED = "SUSPENDED", pgettext_lazy("waiting list", "Suspended")


class DelistReason(models.TextChoices):
    """Why a participant left the waiting list without a transplantation."""

    IMPROVED = "IMPROVED", _("Improved")
    TOO_SICK = "TOO SICK", _("Too ill")
    DIED = "DIED", _("Died")
    DECLINED = "DECLINED", _("Declined by the participant or family")
    OTHER = "OTHER", pgettext_lazy("delisting", "Other")


class Donor(models.TextChoices):
    """The type of donor of a liver."""

    DBD = "DBD", _("Deceased, after brain death (DBD)")
    DCD = "DCD", _("Deceased, after circulatory death (DCD)")
    LDLT = "LDLT", _("Living donor (LDLT)")


class OfferAnswer(models.TextChoices):
    """What was answered to the offer of a liver."""

    ACCEPTED = "ACCEPTED", pgettext_lazy("offer", "Accepted")
    DECLINED = "DECLINED", pgettext_lazy("offer", "Declined")
    WITHDRAWN = "WITHDRAWN", pgettext_lazy("offer", "Withdrawn by the donor centre")


class LtIndication(models.TextChoices):
    """Why a liver was transplanted."""

    LIVER_FAILURE = "LIVER FAILURE", _("Liver failure")
    CIRRHOSIS = "CIRRHOSIS", _("Decompensated cirrhosis")
    TUMOUR = "TUMOUR", _("Liver tumour")
    OTHER = "OTHER", pgettext_lazy("indication", "Other")


class GraftFunction(models.TextChoices):
    """How the graft worked when it was last seen."""

    GOOD = "GOOD", pgettext_lazy("graft", "Good")
    DYSFUNCTION = "EARLY DYSFUNCTION", pgettext_lazy("graft", "Early dysfunction")
    NON_FUNCTION = "PRIMARY NON-FUNCTION", pgettext_lazy("graft", "Primary non-function")
    REJECTION = "REJECTION", pgettext_lazy("graft", "Rejection")
    FAILED = "FAILED", pgettext_lazy("graft", "Lost")


class Scope(models.TextChoices):
    """What ended: the study treatment, or taking part in the study (CDISC DSSCAT)."""

    TREATMENT = "TREATMENT", _("Study treatment")
    STUDY = "STUDY", _("Taking part in the study")


class EndReason(models.TextChoices):
    """Why it ended (CDISC C66727)."""

    COMPLETED = "COMPLETED", pgettext_lazy("disposition", "Completed as planned")
    DEATH = "DEATH", _("Death")
    TRANSPLANTATION = "LIVER TRANSPLANTATION", _("Liver transplantation")
    ADVERSE_EVENT = "ADVERSE EVENT", _("Adverse event")
    CONSENT_WITHDRAWN = "WITHDRAWAL BY SUBJECT", _("Withdrawal by the participant")
    LOST = "LOST TO FOLLOW-UP", _("Lost to follow-up")
    PHYSICIAN = "PHYSICIAN DECISION", _("Decision of the investigator")
    SPONSOR = "STUDY TERMINATED BY SPONSOR", _("Ended by the sponsor")
    DEVIATION = "PROTOCOL DEVIATION", _("Protocol deviation")
    OTHER = "OTHER", pgettext_lazy("disposition", "Other")
