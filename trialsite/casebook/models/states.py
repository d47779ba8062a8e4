"""The states that the spine's rows pass through."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class LockState(models.TextChoices):
    OPEN = "open", _("Open")
    FROZEN = "frozen", _("Frozen")
    LOCKED = "locked", _("Locked")


class SubjectStatus(models.TextChoices):
    SCREENING = "screening", _("In screening")
    SCREEN_FAILED = "screen_failed", _("Screen failure")
    ENROLLED = "enrolled", _("Enrolled")
    COMPLETED = "completed", _("Completed")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    DIED = "died", _("Died")


class ConsentState(models.TextChoices):
    NONE = "none", _("No consent yet")
    GIVEN = "given", _("Consent given")
    RECONSENT_DUE = "reconsent_due", _("Re-consent due")
    WITHDRAWN = "withdrawn", _("Withdrawn, all data")


class VisitStatus(models.TextChoices):
    """Where a visit stands; "due" follows from the date and is never stored."""

    PLANNED = "planned", _("Planned")
    DUE = "due", _("Due")
    OPEN = "open", _("Open")
    ATTENDED = "attended", _("Attended")
    MISSED = "missed", _("Missed")
    NOT_REQUIRED = "not_required", _("Not required")


#: What a row may say; whether a planned visit is due, its window and the day tell.
STORED = tuple(status for status in VisitStatus if status is not VisitStatus.DUE)


class VisitMode(models.TextChoices):
    """How the person was seen (CDASH SVCNTMOD)."""

    ON_SITE = "on_site", _("At the site")
    WARD = "ward", _("On the ward")
    HOME = "home", _("At home")
    TELEPHONE = "telephone", _("By telephone")


class ClosingCause(models.TextChoices):
    """Why a visit is not required; all but an error close a schedule."""

    DEATH = "death", _("Death")
    WITHDRAWAL = "withdrawal", _("Withdrawal of consent")
    EARLY_TERMINATION = "early_termination", _("Early termination")
    ERROR = "error", _("Added in error")


class RecordStatus(models.TextChoices):
    NOT_STARTED = "not_started", _("Not started")
    IN_PROGRESS = "in_progress", _("In progress")
    COMPLETE = "complete", _("Complete")
    NOT_DONE = "not_done", _("Not done")
