"""Freezing and signing a report of a serious adverse event."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from outcomes.models import AdverseEvent, ReportKind, SaeCase, SaeReport, SaeReportPdf
from outcomes.sae_clock import lacking_of
from outcomes.selectors.sae_content import LANGUAGES, Paper, content_of_report
from outcomes.selectors.sae_paper import Signed, paper
from outcomes.services.sae_cases import expect_open, locked_case
from outcomes.services.sae_deadlines import event_of_case
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.access.signing import SigningProof
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.review.models import Sense, Signature
from trialsite.review.signatures import canonical, sign, stands

#: The kind of the signature under a report.
SIGNED = "sae_report"
MEANING = gettext_lazy(
    "I have read this report of a serious adverse event. It says what I know of it at this moment."
)
#: Only what a valid report must have: participant, event, reporter, suspected cause.
_MINIMUM = ("reporter",)


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 of everything a report prints and of the facts it was made of."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def reading_of(case: SaeCase, event: AdverseEvent, kind: str) -> tuple[dict[str, Any], str]:
    """The next report as it would be signed now, with the hash that says what was read: the
    event, the narrative, laboratory, medication and sessions alike, whoever changes them."""
    number = case.reports.count()
    read = content_of_report(case, event, kind=kind, number=number, at=None)
    return read, digest_of(read)


@transaction.atomic
def sign_report(*, case: SaeCase, kind: str, by: User, proof: SigningProof, seen: str) -> SaeReport:
    """Freeze what is known now as the next report, signed by an investigator.

    The content is bound by the signature and kept as PDF in both languages. `seen` is the
    hash of what the person has read; raises TransitionError where any of it has changed.
    """
    case = locked_case(case)
    expect_open(case)
    if case.reports.filter(signature=None).exists():
        raise TransitionError(_("The report that was sent on paper is to be signed first."))
    event = event_of_case(case)
    number = next_number(case, kind)
    expect_minimum(case, event)
    if reading_of(case, event, kind)[1] != seen:
        raise TransitionError(
            _("What the report says has changed since you read it. Read it again, then sign.")
        )
    report = frozen(case, event, kind=kind, number=number)
    report.signature = _signature(report, case, by, proof)
    report.signed_at, report.signed_by = report.signature.trial_at, by
    report.save(force_insert=True)
    keep_papers(report, by)
    return report


@transaction.atomic
def sign_sent_report(*, report: SaeReport, by: User, proof: SigningProof, seen: str) -> SaeReport:
    """Sign what was sent on paper before it could be signed here, as it was frozen then."""
    case = locked_case(report.case)
    by.require(Capability.SIGN_FORM, site=case.site_id)
    report = SaeReport.objects.select_for_update(no_key=True, of=("self",)).get(pk=report.pk)
    if report.signature_id is not None:
        raise TransitionError(_("This report is signed already."))
    if seen != report.content_hash:
        raise TransitionError(
            _("What the report says has changed since you read it. Read it again, then sign.")
        )
    report.signature = _signature(report, case, by, proof)
    report.signed_at, report.signed_by = report.signature.trial_at, by
    report.save(update_fields=["signature", "signed_at", "signed_by"])
    keep_papers(report, by)
    return report


def frozen(
    case: SaeCase, event: AdverseEvent, *, kind: str, number: int, paper: Paper | None = None
) -> SaeReport:
    """The next report with everything it says, not yet kept; one that left on paper says
    what the paper carried."""
    now = trial_now()
    content = content_of_report(case, event, kind=kind, number=number, at=now, paper=paper)
    return SaeReport(
        case=case,
        site_id=case.site_id,
        subject_id=case.subject_id,
        record_id=case.record_id,
        id=uuid.uuid4(),
        number=number,
        counts_as=_counting(case, number, paper),
        kind=kind,
        content=content,
        content_hash=digest_of(content),
        lacking=lacking_of(event, case),
        record_version=event.record.version,
        made_at=now,
    )


def _counting(case: SaeCase, number: int, paper: Paper | None) -> int:
    """As which report it meets clocks: as itself, unless others tell of later moments."""
    if paper is None:
        return number
    before = [each.said_at <= paper.sent_at for each in case.reports.order_by("number")]
    return number if all(before) else max(before.index(False) - 1, 0)


def _signature(report: SaeReport, case: SaeCase, by: User, proof: SigningProof) -> Signature:
    return sign(
        kind=SIGNED,
        target=report.pk,
        content=report.content_hash,
        meaning=MEANING,
        by=by,
        proof=proof,
        record=case.record,
        sense=Sense.RESPONSIBILITY,
    )


def signature_stands(report: SaeReport) -> bool:
    """Whether the report is signed, nobody has voided that, and it says what was signed."""
    if report.signature is None or digest_of(report.content) != report.content_hash:
        return False
    return stands(report.signature, report.content_hash)


def expect_minimum(case: SaeCase, event: AdverseEvent) -> None:
    if set(_MINIMUM) & set(lacking_of(event, case)):
        raise DomainError(_("A report names its reporter. Please add who reported the event."))


def next_number(case: SaeCase, kind: str) -> int:
    """The number of the next report, which can be of this kind."""
    kinds = list(case.reports.order_by("number").values_list("kind", flat=True))
    if kind not in ReportKind.values:
        raise DomainError(_("This is no kind of report."))
    if (kind == ReportKind.INITIAL) != (not kinds):
        raise TransitionError(
            _("The first report is the initial one, every later one is a follow-up or the final.")
        )
    # After the final one too: what becomes known later is a follow-up (E6(R3) 2.7.2).
    if kind == ReportKind.FINAL and kind in kinds:
        raise TransitionError(_("The final report is signed already."))
    return len(kinds)


def keep_papers(report: SaeReport, by: User) -> None:
    """Keep the paper of a report that was just signed, in each language."""
    assert report.signature is not None
    assert report.signed_at is not None
    signed = Signed(
        name=by.full_name,
        role=report.signature.role,
        meaning=report.signature.meaning,
        at=report.signed_at,
        zone=report.signature.time_zone,
    )
    for language in LANGUAGES:
        made = paper(
            report.content,
            language=language,
            at=report.signed_at,
            digest=report.content_hash,
            signed=signed,
        )
        SaeReportPdf.objects.create(
            report=report,
            site_id=report.site_id,
            subject_id=report.subject_id,
            record_id=report.record_id,
            language=language,
            content=made,
            sha256=hashlib.sha256(made).hexdigest(),
        )
