"""What a copy of the story is made of, for every table of the study.

A participant's table needs nothing here: its guard names the column of its subject, and so it
is copied. Whatever else is copied, or not, is listed with the reason;
`tests/demo/test_bulk.py` holds the lists complete.
"""

from __future__ import annotations

from django.db import models

from trialsite.core.guards import Guard, guarded_models

#: Of no subject, yet each copy has its own, or the numbers of the story would not add up.
MATERIAL = {
    "screening.ScreeningEntry": "a person of the log before they are a subject",
    "samples.Freezer": "a copy's samples stand at the same positions, in a freezer of their own",
    "samples.Rack": "stands in a freezer",
    "samples.Box": "stands in a rack",
    "samples.BoxMove": "says how a box came to its place",
    "samples.StorageExcursion": "says when a freezer was too warm",
    "samples.Shipment": "carries a copy's samples",
    "samples.ExportPermission": "counts the samples of a shipment",
    "visits.ProductLot": "holds as many units as the story takes",
    "visits.ReleaseTest": "of a lot",
    "visits.LotDecision": "of a lot",
    "visits.LotMovement": "units of a lot",
}

#: Copied by a road of their own (`beside`): the trail holds no row of them, or not all of it.
BESIDE = {
    "notify.Notice": "the delivery log is its own record; what is said to its end is copied",
    "notify.DeliveryAttempt": "of a notice",
    "outcomes.SaeReportPdf": "the trail keeps no files: a paper is made of its copy's report",
}

#: Written by PostgreSQL's own triggers while the copies are made.
FOLLOWING = {
    "audit.Event": "the trail of a copy is written while the copy is made",
    "dashboard.OwedForm": "follows visits and records",
    "screening.StudyEnrolment": "counts enrolments",
}

_ACCOUNTS = "the same people at the same sites enter all copies"
_STUDY = "the study is configured once, for every participant"
_MEETING = "looks at the study as a whole, as it was when it was made"
_PASSING = "kept for a while for one person; the story leaves none"

#: Held once by the study, however many participants it has.
SHARED = {
    "access.ApiToken": _ACCOUNTS,
    "access.Deactivation": _ACCOUNTS,
    "access.IdempotentAnswer": _PASSING,
    "access.Invitation": _ACCOUNTS,
    "access.Membership": _ACCOUNTS,
    "access.SignInAttempt": _PASSING,
    "access.Site": _ACCOUNTS,
    "access.Training": _ACCOUNTS,
    "access.User": _ACCOUNTS,
    "account.EmailAddress": _ACCOUNTS,
    "account.EmailConfirmation": _ACCOUNTS,
    "auth.Group": _ACCOUNTS,
    "auth.Group_permissions": _ACCOUNTS,
    "auth.Permission": _ACCOUNTS,
    "casebook.NumberSequence": "one counter for a site; it goes on behind the last copy",
    "casebook.ProtocolVersion": _STUDY,
    "casebook.SiteProtocolApproval": _STUDY,
    "conduct.GateReview": _MEETING,
    "conduct.Hold": "halts the study or a site, not a participant",
    "conduct.RuleActivation": _STUDY,
    "conduct.SafetySnapshot": _MEETING,
    "contenttypes.ContentType": "names tables",
    "crf.Draft": _PASSING,
    "dashboard.SavedFeasibility": "of a file of somebody else's patients",
    "exports.Package": "a file of the study as it was when it was asked for",
    "labs.LabFileMapping": "how to read a laboratory's file, whoever is in it",
    "labs.LabImport": "of a file; what it brought stands in the participants' panels",
    "labs.Laboratory": _STUDY,
    "labs.ReferenceRange": _STUDY,
    "mfa.Authenticator": _ACCOUNTS,
    "notify.Planning": "how far the planners have looked, for the whole study",
    "notify.Preferences": _ACCOUNTS,
    "outcomes.Deputy": _ACCOUNTS,
    "outcomes.SaeReconciliation": _MEETING,
    "review.ConfirmedAssumption": _STUDY,
    "screening.ConsentApproval": _STUDY,
    "screening.ConsentDocument": _STUDY,
    "screening.EligibilityDraft": _PASSING,
    "sessions.Session": _PASSING,
}

#: What PostgreSQL sets by its own clock when a row comes: told of a copy, it is the copy's.
CLOCKED = {
    "casebook.Visit": frozenset({"dated_at"}),
    "review.Signature": frozenset({"signed_at", "trial_at"}),
}


def is_copied(model: type[models.Model], guard: Guard) -> bool:
    """Whether the rows of a table come into a copy by reading the trail forward."""
    label = model._meta.label
    if label in SHARED or label in BESIDE or label in FOLLOWING or guard.unaudited:
        return False
    return label in MATERIAL or bool(guard.subject)


def copied() -> dict[str, tuple[type[models.Model], Guard]]:
    """The copied tables, by name."""
    return {
        model._meta.db_table: (model, guard)
        for model, guard in guarded_models()
        if is_copied(model, guard)
    }


def unstated() -> list[str]:
    """Tables that nobody has said anything of: neither a participant's nor in a list here."""
    known = {*SHARED, *BESIDE, *FOLLOWING}
    return [
        model._meta.label
        for model, guard in guarded_models()
        if model._meta.label not in known and not is_copied(model, guard)
    ]
