"""Code lists that several forms share; CDISC's where CDISC has one."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Severity(models.TextChoices):
    """None to severe: CDISC C66769 with the absence of what is asked about."""

    NONE = "NONE", pgettext_lazy("severity", "None")
    MILD = "MILD", pgettext_lazy("severity", "Mild")
    MODERATE = "MODERATE", pgettext_lazy("severity", "Moderate")
    SEVERE = "SEVERE", pgettext_lazy("severity", "Severe")


class Ascites(models.TextChoices):
    """Ascites by amount, as Child-Pugh asks."""

    NONE = "NONE", pgettext_lazy("ascites", "None")
    MILD = "MILD", pgettext_lazy("ascites", "Mild")
    MODERATE = "MODERATE", pgettext_lazy("ascites", "Moderate")
    SEVERE = "SEVERE", pgettext_lazy("ascites", "Severe")


class TestResult(models.TextChoices):
    """CDISC LBSTRESC terms of a qualitative test."""

    NEGATIVE = "NEGATIVE", _("Negative")
    POSITIVE = "POSITIVE", _("Positive")
    INDETERMINATE = "INDETERMINATE", _("Indeterminate")


class Finding(models.TextChoices):
    """One body system at a physical examination (CDISC PEORRES)."""

    NORMAL = "NORMAL", pgettext_lazy("examination", "Normal")
    NOT_SIGNIFICANT = "ABNORMAL NCS", _("Abnormal, not clinically significant")
    SIGNIFICANT = "ABNORMAL CS", _("Abnormal, clinically significant")
