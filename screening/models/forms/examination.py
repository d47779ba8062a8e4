"""Hepatic encephalopathy and physical examination, at screening and at every visit.

The West Haven grade is the assessor's; the anchors beside it are what makes two assessors
grade alike, and where they contradict the grade a query asks.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, IntegerField, Q
from django.db.models.functions import Cast, NullIf
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from screening.models.forms.codes import Ascites, Finding, Severity
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import derived, item
from trialsite.crf.models import CrfData, EditCheck, Section
from trialsite.crf.registry import register


class Grade(models.TextChoices):
    """West Haven, as the protocol writes it."""

    NONE = "0", _("0 – none")
    I = "I", _("I – short attention, no disorientation")  # noqa: E741
    II = "II", _("II – lethargy, disoriented in time")
    III = "III", _("III – somnolence, disoriented in place")
    IV = "IV", _("IV – coma")


class AssessorRole(models.TextChoices):
    INVESTIGATOR = "INVESTIGATOR", _("Investigator")
    PHYSICIAN = "PHYSICIAN", _("Ward physician")
    NURSE = "NURSE", _("Nurse")
    OTHER = "OTHER", pgettext_lazy("assessor", "Other")


class Eye(models.IntegerChoices):
    """Glasgow coma scale, eye opening."""

    NONE = 1, _("1 – none")
    PAIN = 2, _("2 – to pain")
    SPEECH = 3, _("3 – to speech")
    SPONTANEOUS = 4, _("4 – spontaneous")


class Verbal(models.TextChoices):
    """Glasgow coma scale, verbal response; T where a tube forbids it."""

    NONE = "1", _("1 – none")
    SOUNDS = "2", _("2 – sounds")
    WORDS = "3", _("3 – words")
    CONFUSED = "4", _("4 – confused")
    ORIENTED = "5", _("5 – oriented")
    TUBE = "T", _("T – not testable, tube")


class Motor(models.IntegerChoices):
    """Glasgow coma scale, motor response."""

    NONE = 1, _("1 – none")
    EXTENSION = 2, _("2 – extension")
    ABNORMAL_FLEXION = 3, _("3 – abnormal flexion")
    WITHDRAWAL = 4, _("4 – withdraws")
    LOCALISES = 5, _("5 – localises")
    OBEYS = 6, _("6 – obeys")


#: Questions of each orientation: day, date, month, season, year; country to floor.
QUESTIONS = 5

#: So many wrong answers are a disorientation (ISHEN; clinical 2c).
DISORIENTED = 3

_OVERT = (Grade.II, Grade.III, Grade.IV)
_SEVERE = (Grade.III, Grade.IV)

SYSTEMS = (
    ("pe_general", "GENERAL", _("General appearance")),
    ("pe_skin", "SKIN", _("Skin and mucosa")),
    ("pe_head", "HEAD", _("Head and neck")),
    ("pe_heart", "HEART", _("Heart")),
    ("pe_lungs", "LUNGS", _("Lungs")),
    ("pe_abdomen", "ABDOMEN", _("Abdomen")),
    ("pe_limbs", "LIMBS", _("Limbs and spine")),
    ("pe_nerves", "NEURO", _("Nervous system")),
)
_PE = tuple(name for name, _code, _label in SYSTEMS)


@register
class Examination(CrfData):
    """West Haven grade with its anchors, ascites, bleeding and the body by system."""

    form_oid = "F.HE"
    title = _("Encephalopathy and examination")

    assessed_at = item(
        WallTimeField(_("Date and time")), oid="I.HE.RSDTC", sdtm="RS.RSDTC", observed=True
    )
    assessor = item(
        models.CharField(_("Assessor"), max_length=80), oid="I.HE.RSEVAL", sdtm="RS.RSEVALID"
    )
    assessor_role = item(
        models.CharField(_("Role of the assessor"), max_length=15, choices=AssessorRole),
        oid="I.HE.EVALROLE",
        sdtm="RS.RSEVAL",
    )
    grade = item(
        models.CharField(_("HE grade (West Haven)"), max_length=3, choices=Grade),
        oid="I.HE.HEGRADE",
        sdtm="RS.RSORRES",
    )
    wrong_in_time = item(
        models.SmallIntegerField(_("Wrong of 5: day, date, month, season, year")),
        oid="I.HE.ORIENTT",
        sdtm="FT.FTORRES",
    )
    wrong_in_place = item(
        models.SmallIntegerField(_("Wrong of 5: country, region, city, place, floor")),
        oid="I.HE.ORIENTP",
        sdtm="FT.FTORRES",
    )
    asterixis = item(models.BooleanField(_("Asterixis")), oid="I.HE.ASTERIX", sdtm="CE.CEOCCUR")
    gcs_eye = item(
        models.SmallIntegerField(_("GCS eye opening"), choices=Eye),
        oid="I.HE.GCSE",
        sdtm="RS.RSORRES",
    )
    gcs_verbal = item(
        models.CharField(_("GCS verbal response"), max_length=1, choices=Verbal),
        oid="I.HE.GCSV",
        sdtm="RS.RSORRES",
    )
    gcs_motor = item(
        models.SmallIntegerField(_("GCS motor response"), choices=Motor),
        oid="I.HE.GCSM",
        sdtm="RS.RSORRES",
    )
    gcs_total = derived(
        _("GCS total"),
        F("gcs_eye") + Cast(NullIf("gcs_verbal", models.Value("T")), IntegerField())
        + F("gcs_motor"),
        models.IntegerField(),
        oid="I.HE.GCS",
        unit="{score}",
        limits="GCS",
        sdtm="RS.RSSTRESN",
    )  # fmt: skip
    sedatives = item(
        models.BooleanField(_("Sedatives within 24 hours")), oid="I.HE.SEDATIVE", sdtm="CM.CMOCCUR"
    )
    sedatives_named = item(
        models.CharField(_("Which sedatives"), max_length=200),
        oid="I.HE.SEDNAME",
        sdtm="CM.CMTRT",
        required=False,
    )
    ascites = item(
        models.CharField(_("Ascites"), max_length=10, choices=Ascites),
        oid="I.HE.ASCITES",
        sdtm="CE.CESEV",
    )
    jaundice = item(models.BooleanField(_("Jaundice")), oid="I.HE.JAUNDICE", sdtm="CE.CEOCCUR")
    oedema = item(
        models.CharField(_("Oedema"), max_length=10, choices=Severity),
        oid="I.HE.OEDEMA",
        sdtm="CE.CESEV",
    )
    bleeding = item(
        models.BooleanField(_("Signs of bleeding")), oid="I.HE.BLEEDING", sdtm="CE.CEOCCUR"
    )
    bleeding_described = item(
        models.CharField(_("Where and how much"), max_length=200),
        oid="I.HE.BLEEDSP",
        sdtm="CE.CETERM",
        required=False,
    )
    for _name, _code, _label in SYSTEMS:
        vars()[_name] = item(
            models.CharField(_label, max_length=15, choices=Finding),
            oid=f"I.HE.PE{_code}",
            sdtm="PE.PEORRES",
            required=False,
        )
    del _name, _code, _label
    findings = item(
        models.TextField(_("Abnormal findings")),
        oid="I.HE.PESPEC",
        sdtm="SUPPPE.PESPEC",
        required=False,
    )

    sections = (
        Section(title=_("Assessment"), items=("assessed_at", "assessor", "assessor_role")),
        Section(
            title=_("Hepatic encephalopathy"),
            items=("grade", "wrong_in_time", "wrong_in_place", "asterixis"),
        ),
        Section(
            title=_("Glasgow coma scale"),
            items=("gcs_eye", "gcs_verbal", "gcs_motor", "gcs_total"),
        ),
        Section(title=_("Sedation"), items=("sedatives", "sedatives_named")),
        Section(
            title=_("Signs"),
            items=("ascites", "jaundice", "oedema", "bleeding", "bleeding_described"),
        ),
        Section(title=_("Physical examination"), items=(*_PE, "findings")),
    )

    edit_checks = (
        EditCheck(
            oid="HE.TIME_ANCHOR",
            holds=Q(wrong_in_time__lt=DISORIENTED) | Q(grade__in=_OVERT),
            message=_("Disoriented in time: at least grade II is expected. Please confirm."),
            item="grade",
        ),
        EditCheck(
            oid="HE.PLACE_ANCHOR",
            holds=Q(wrong_in_place__lt=DISORIENTED) | Q(grade__in=_SEVERE),
            message=_("Disoriented in place: at least grade III is expected. Please confirm."),
            item="grade",
        ),
        EditCheck(
            oid="HE.ORIENTED",
            holds=~Q(grade=Grade.II) | Q(wrong_in_time__gt=0) | Q(asterixis=True),
            message=_("Grade II without disorientation in time or asterixis. Please confirm."),
            item="grade",
        ),
        EditCheck(
            oid="HE.PLACE_KNOWN",
            holds=~Q(grade__in=_SEVERE) | Q(wrong_in_place__gte=DISORIENTED),
            message=_("Grade III or IV, and oriented in place. Please confirm."),
            item="wrong_in_place",
        ),
        EditCheck(
            oid="HE.GCS_FULL",
            holds=~Q(grade__in=_SEVERE) | Q(gcs_total__lt=15),
            message=_("Grade III or IV with a full Glasgow coma scale. Please confirm."),
            item="grade",
        ),
        EditCheck(
            oid="HE.GCS_COMA",
            holds=~Q(grade=Grade.IV) | Q(gcs_total__lte=8),
            message=_("Coma with a Glasgow coma scale above 8. Please confirm."),
            item="grade",
        ),
        EditCheck(
            oid="HE.GCS_LOW",
            holds=~Q(grade__in=[Grade.NONE, Grade.I]) | Q(gcs_total__gte=14),
            message=_("Grade 0 or I with a Glasgow coma scale below 14. Please confirm."),
            item="grade",
        ),
        EditCheck(
            oid="HE.ASTERIXIS",
            holds=~Q(grade=Grade.NONE) | Q(asterixis=False),
            message=_("Asterixis without encephalopathy. Please confirm."),
            item="asterixis",
        ),
        EditCheck(
            oid="HE.SEDATIVES_NAMED",
            holds=Q(sedatives=False)
            | Q(sedatives_named__isnull=False)
            | Q(missing__has_key="sedatives_named"),
            message=_("Please name the sedatives: they bear on the grade."),
            item="sedatives_named",
        ),
        EditCheck(
            oid="HE.BLEEDING_DESCRIBED",
            holds=Q(bleeding=False)
            | Q(bleeding_described__isnull=False)
            | Q(missing__has_key="bleeding_described"),
            message=_("Please describe the bleeding."),
            item="bleeding_described",
        ),
        EditCheck(
            oid="HE.FINDINGS",
            holds=~Q(*(Q(**{name: Finding.SIGNIFICANT}) for name in _PE), _connector=Q.OR)
            | Q(findings__isnull=False),
            message=_("A finding is clinically significant. Please describe it."),
            item="findings",
        ),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(wrong_in_time__gte=0, wrong_in_time__lte=QUESTIONS),
                name="examination_five_questions_of_time",
                violation_error_message=_("There are five questions: 0 to 5."),
            ),
            models.CheckConstraint(
                condition=Q(wrong_in_place__gte=0, wrong_in_place__lte=QUESTIONS),
                name="examination_five_questions_of_place",
                violation_error_message=_("There are five questions: 0 to 5."),
            ),
        ]
