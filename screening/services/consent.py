"""Recording consent, and saying whether a protocol procedure may start (decisions C3-C5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from screening.models.consent import (
    CONSENT_FORM,
    OPTIONS,
    Consent,
    ConsentDocument,
    ConsentKind,
    Scope,
    Signer,
    Withdrawal,
)
from screening.models.log import ScreeningEntry
from screening.selectors.consent import standing_of
from screening.services.consent_records import (
    FieldsError,
    advance,
    follow_withdrawals,
    headed,
    hold_subject,
    moment_problem,
    role_on,
    sync_subjects,
)
from screening.services.log import admit
from screening.standing import Standing, in_force
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.attachments import add_attachment
from trialsite.casebook.models import Attachment, AttachmentKind, ConsentState, Subject
from trialsite.casebook.moments import future_problem
from trialsite.casebook.services import set_consent_state
from trialsite.conduct.kinds import declare_kind
from trialsite.conduct.models import Category, Importance
from trialsite.conduct.services.deviations import propose_deviation
from trialsite.core.acts import note_act
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.core.partial_dates import PartialDate

#: What an attempted procedure without a consent that carries it is taken for.
UNCONSENTED = declare_kind(
    "procedure_without_consent",
    gettext_lazy("Procedure that consent does not carry"),
    category=Category.CONSENT,
    importance=Importance.MAJOR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAct:
    """What a signed consent form says; `signed_at` is the clock on the wall at the site."""

    document: ConsentDocument
    signed_at: dt.datetime
    signer: str
    explained_by: User
    kind: str = ConsentKind.INITIAL
    relation: str = ""
    witness: str = ""
    named_representative: str = ""
    copy_given: bool = False
    future_use: bool | None = None
    genetic_analysis: bool | None = None
    later_contact: bool | None = None
    data_sharing: bool | None = None
    resumes: tuple[str, ...] = ()
    comment: str = ""


@transaction.atomic
def give_consent(
    *, entry: ScreeningEntry, act: SignedAct, by: User, scan: File[bytes] | None = None
) -> Consent:
    """A person of the screening log consents: the subject appears, with this consent (C21).

    Raises FieldsError (what stands in the way, by field), TransitionError, DomainError;
    nothing is then changed, and no subject appears.
    """
    by.require(Capability.ENTER_DATA, site=entry.site_id)
    if act.kind != ConsentKind.INITIAL:
        raise FieldsError({"kind": [_("A person's first act is the first consent.")]})
    FieldsError.unless(signed_at=_contact_problem(entry, act.signed_at))
    subject = admit(entry=entry, by=by, on=act.signed_at.date())
    return add_consent(subject=subject, act=act, by=by, scan=scan)


@transaction.atomic
def add_consent(
    *, subject: Subject, act: SignedAct, by: User, scan: File[bytes] | None = None
) -> Consent:
    """Record one signed act of a subject, as it was signed.

    A first consent signed by a representative is kept: that it was no participant's own
    is told by the fact and by every page. Raises as `give_consent` does.
    """
    subject = hold_subject(subject, by=by)
    standing = standing_of(subject)
    role = role_on(subject.site, act.explained_by, act.signed_at.date())
    FieldsError.unless(**problems_of(act, subject, standing, role))
    if Scope.ALL_DATA in act.resumes:
        # The database lets nothing be entered for who has withdrawn; this act ends that.
        set_consent_state(subject=subject, state=ConsentState.GIVEN, by=by)
    consent = _consent(act, subject, role)
    headed(consent, form_oid=CONSENT_FORM, by=by, complete=consent.is_complete)
    if scan is not None:
        add_scan(consent=consent, file=scan, by=by)
    sync_subjects([subject])
    if act.resumes:
        follow_withdrawals(subject, by=by)
    return consent


def _consent(act: SignedAct, subject: Subject, role: str) -> Consent:
    by_representative = act.signer == Signer.REPRESENTATIVE
    return Consent(
        site_id=subject.site_id,
        subject=subject,
        time_zone=subject.site.time_zone,
        kind=act.kind,
        document=act.document,
        signed_at=act.signed_at,
        signer=act.signer,
        relation=act.relation.strip() if by_representative else "",
        explained_by=act.explained_by,
        explained_role=role,
        witness=act.witness.strip(),
        named_representative=act.named_representative.strip(),
        copy_given=act.copy_given,
        resumes=sorted(set(act.resumes)),
        comment=act.comment.strip(),
        **{name: getattr(act, name) for name in OPTIONS},
    )


def problems_of(act: SignedAct, subject: Subject, standing: Standing, role: str) -> dict[str, str]:
    """What stands in the way of an act, by field; empty texts where nothing does."""
    return {
        "kind": _kind_problem(act, subject, standing),
        "document": _document_problem(act, standing),
        "signed_at": moment_problem(subject, act.signed_at) or _order_problem(act, standing),
        "signer": _signer_problem(act),
        "relation": _relation_problem(act),
        "explained_by": "" if role else _("Not delegated as an investigator here on that day."),
        "resumes": _resumes_problem(act, standing),
    }


def _kind_problem(act: SignedAct, subject: Subject, standing: Standing) -> str:
    if act.kind not in ConsentKind.values:
        return _("Choose what kind of act it is.")
    first = act.kind == ConsentKind.INITIAL
    if first and not standing.lacks_first:
        return _("The first consent is already recorded. This is a later act.")
    if not first and not standing.consents:
        return _("A person's first act is the first consent.")
    moment = act.signed_at.replace(tzinfo=ZoneInfo(subject.site.time_zone))
    lost = standing.capacity_at(moment) == "lost"
    if act.kind == ConsentKind.REPRESENTATIVE and not lost:
        return _("Record the assessment that found capacity lost first.")
    by_other = any(each.signer == Signer.REPRESENTATIVE for each in standing.consents)
    if act.kind == ConsentKind.OWN and not by_other:
        return _("No representative has signed: there is nothing to confirm.")
    return ""


def _contact_problem(entry: ScreeningEntry, signed_at: dt.datetime) -> str:
    if signed_at.date() < entry.first_contact_on:
        return _("This is before the first contact of %(date)s.") % {
            "date": entry.first_contact_on.isoformat()
        }
    return future_problem(signed_at, entry.site.time_zone)


def _document_problem(act: SignedAct, standing: Standing) -> str:
    if in_force(standing.approvals, act.document, act.signed_at.date()):
        return ""
    return _(
        "Version %(version)s was not in force at this site on %(date)s: it counts from its "
        "approval's effective day until the next version in its language."
    ) % {"version": act.document, "date": act.signed_at.date().isoformat()}


def _order_problem(act: SignedAct, standing: Standing) -> str:
    begun = standing.consents[0].wall if standing.consents else act.signed_at
    if act.kind == ConsentKind.INITIAL and standing.lacks_first and act.signed_at > begun:
        return _("A later act stands already: the first consent was before it.")
    if act.kind != ConsentKind.INITIAL and act.signed_at < begun:
        return _("This is before the first consent.")
    same = (act.signed_at, act.signer, act.document)
    if any((each.wall, each.signer, each.document) == same for each in standing.consents):
        return _("This act is already recorded.")
    return ""


def _signer_problem(act: SignedAct) -> str:
    if act.signer not in Signer.values:
        return _("Say who signed.")
    if act.kind == ConsentKind.REPRESENTATIVE and act.signer != Signer.REPRESENTATIVE:
        return _("This act is signed by the representative.")
    if act.kind == ConsentKind.OWN and act.signer != Signer.PARTICIPANT:
        return _("This act is the participant's own.")
    return ""


def _relation_problem(act: SignedAct) -> str:
    missing = act.signer == Signer.REPRESENTATIVE and not act.relation.strip()
    return _("Say what the representative is to the participant.") if missing else ""


def _resumes_problem(act: SignedAct, standing: Standing) -> str:
    gone, taken = standing.scopes, set(act.resumes)
    if not taken <= set(gone):
        return _("This is not withdrawn.")
    if Scope.ALL_DATA in gone and Scope.ALL_DATA not in taken:
        return _("All data are withdrawn: only a consent that takes this back can be recorded.")
    if taken and act.signer != Signer.PARTICIPANT:
        return _("Only the participant takes a withdrawal back.")
    if any(act.signed_at < each.wall for each in standing.withdrawals if _names(each, taken)):
        return _("This was signed before the withdrawal: it does not take it back.")
    return ""


def _names(withdrawal: Withdrawal, scopes: set[str]) -> bool:
    return Scope.ALL_DATA in withdrawal.scopes or not scopes.isdisjoint(withdrawal.scopes)


@transaction.atomic
def complete_consent(
    *,
    consent: Consent,
    by: User,
    copy_given: bool,
    options: dict[str, bool | None] | None = None,
) -> Consent:
    """Add what was still missing: that a copy was given, an optional question's answer.

    What was answered stays answered; an error is voided with its act and entered anew.
    """
    subject = hold_subject(consent.subject, by=by)
    waiting = Consent.objects.select_for_update(no_key=True, of=("self",))
    consent = waiting.select_related("record").get(pk=consent.pk)
    if consent.record.is_closed:
        raise TransitionError(_("This record has been voided or is locked."))
    if consent.is_complete:
        raise TransitionError(_("Nothing is missing on this consent."))
    consent.copy_given = consent.copy_given or copy_given
    for name, answer in (options or {}).items():
        if name in OPTIONS and getattr(consent, name) is None:
            setattr(consent, name, answer)
    consent.save(update_fields=["copy_given", *OPTIONS])
    consent.subject = subject
    advance(consent, by=by, complete=consent.is_complete)
    return consent


def add_scan(*, consent: Consent, file: File[bytes], by: User) -> Attachment:
    """Keep the scan of the signed form with its consent; an error is said beside the file."""
    title = _("Signed consent, version %(version)s, %(date)s") % {
        "version": consent.document.version,
        "date": consent.wall.date().isoformat(),
    }
    try:
        return add_attachment(
            subject=consent.subject,
            file=file,
            title=title,
            kind=AttachmentKind.CONSENT,
            record=consent.record,
            by=by,
        )
    except (NotPermittedError, TransitionError):
        raise
    except DomainError as refused:
        raise FieldsError({"scan": [str(refused)]}) from refused


class ProcedureRefusedError(DomainError):
    """Consent does not carry a new protocol procedure; `propose` notes the attempt.

    The refusal rolls the attempt back, so whoever answers it hands `propose` to
    `trialsite.access.keeping.keep`, which outlives that.
    """

    def __init__(self, message: str, propose: Callable[[], None]) -> None:
        super().__init__(message)
        self.propose = propose


def procedures_refusal(subject: Subject, *, scope: Scope = Scope.TREATMENT) -> str:
    """Why no new protocol procedure may start now; empty: it may (decisions C4).

    `scope` is what the procedure belongs to: a treatment session, a sample, a contact.
    Observations, laboratory results, safety and survival never ask this.
    """
    return " ".join(standing_of(subject).refusals(scope))


def require_procedure_allowed(
    *, subject: Subject, by: User, procedure: str = "", scope: Scope = Scope.TREATMENT
) -> None:
    """Let a protocol procedure start, or raise ProcedureRefusedError with every reason."""
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    reason = procedures_refusal(subject, scope=scope)
    if reason:
        propose = partial(
            note_refused_procedure, subject=subject, procedure=procedure, reason=reason
        )
        raise ProcedureRefusedError(reason, propose)


def note_refused_procedure(*, subject: Subject, procedure: str, reason: str) -> None:
    """Remember that a procedure was attempted which consent does not carry.

    The trail keeps every attempt; the site is asked once a day whether it was a deviation.
    """
    note_act(
        "procedure_refused",
        site_id=subject.site_id,
        subject_id=subject.pk,
        details={"procedure": procedure, "reason": reason},
    )
    today = trial_today(subject.site.time_zone)
    said = _("A protocol procedure was attempted that consent does not carry: %(what)s. %(why)s")
    propose_deviation(
        site=subject.site,
        kind=UNCONSENTED.code,
        key=f"{UNCONSENTED.code}:{subject.pk}:{procedure}:{today.isoformat()}",
        description=said % {"what": procedure or "–", "why": reason},
        subject=subject,
        occurred_on=PartialDate.parse(today.isoformat()),
    )
