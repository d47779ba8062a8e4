"""The first word of a serious adverse event: what one knows in the first two minutes."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import (
    CRITERIA,
    AdverseEvent,
    AdverseEventOrigin,
    FurtherWord,
    SaeCase,
    Suspected,
)
from outcomes.services.adverse_events import record_from_complication
from outcomes.services.sae_deadlines import Easing, derive_deadlines, event_of_case, keep
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import open_record
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.entry import read_texts, texts_of
from trialsite.crf.models import stored
from trialsite.crf.services import save_crf
from visits.models import Complication


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstWord:
    """What is entered at once: the four elements of a valid report, and three facts.

    ICH E2D 4.1 and E2B: a participant, an event, a reporter, a suspected cause.
    """

    term: str
    reporter: str
    suspected: str
    criterion: str
    #: The clock at the site.
    aware_at: dt.datetime
    started_on: PartialDate | None = None
    started_time: dt.time | None = None


class SameEventError(DomainError):
    """Such an event of the subject is there already; `found` are the ones it may be."""

    def __init__(self, found: list[AdverseEvent]) -> None:
        super().__init__(_("This may be entered already. Is it one of these?"))
        self.found = found


@transaction.atomic
def report_event(
    *,
    subject: Subject,
    word: FirstWord,
    by: User,
    complication: Complication | None = None,
    another: bool = False,
) -> SaeCase:
    """Begin a serious adverse event and its case in one act; all else may follow.

    Of a complication that has its event already, and of an event the person names as the
    same, that very event becomes serious. Without `another`, a standing event of the same
    subject with the same words or the same start raises SameEventError first.
    """
    by.require(Capability.REPORT_SAE, site=subject.site_id)
    known = _event_of(complication) if complication is not None else None
    # A form's save locks its record and then the subject; the same order here.
    if known is not None:
        CrfRecord.objects.select_for_update(no_key=True).get(pk=known)
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    _expect_words(word)
    if complication is None and not another:
        found = same_events(subject, word)
        if found:
            raise SameEventError(found)
    if complication is not None:
        record = record_from_complication(complication=complication, by=by)
    else:
        record = open_record(subject=subject, form_oid=AdverseEvent.form_oid, by=by)
    return _say(record, word, by=by, known=record.pk == known)


def _event_of(complication: Complication) -> uuid.UUID | None:
    """The standing event of a complication: what it says already stays, its awareness first."""
    standing = AdverseEventOrigin.objects.filter(complication=complication, ended_at=None)
    found: uuid.UUID | None = standing.values_list("record_id", flat=True).first()
    return found


@transaction.atomic
def report_known(*, event: AdverseEvent, word: FirstWord, by: User) -> SaeCase:
    """Make an event that is entered already serious; what it says otherwise stays."""
    by.require(Capability.REPORT_SAE, site=event.site_id)
    _expect_words(word)
    return _say(CrfRecord.objects.get(pk=event.pk), word, by=by, known=True)


def _expect_words(word: FirstWord) -> None:
    if not word.term.strip() or not word.reporter.strip():
        raise DomainError(_("Name the event and who reports it."))
    if word.criterion not in CRITERIA or word.suspected not in Suspected.values:
        raise DomainError(_("Say why it is serious, and what is suspected."))


def _say(record: CrfRecord, word: FirstWord, *, by: User, known: bool = False) -> SaeCase:
    record = CrfRecord.objects.select_for_update(no_key=True).get(pk=record.pk)
    row = stored(AdverseEvent).filter(pk=record.pk).first()
    entry = read_texts(AdverseEvent, texts_of(row) | _texts(word, row, known=known))
    if entry.errors:
        raise DomainError(" ".join(text for each in entry.errors.values() for text in each))
    save_crf(
        record=record,
        entry=entry,
        by=by,
        base_version=record.version,
        reason=_("Reported as serious") if record.version else "",
    )
    case = SaeCase.objects.select_for_update(no_key=True).get(record=record)
    if not known or not case.reporter:
        case.reporter, case.suspected = word.reporter.strip()[:200], word.suspected
        keep(case, "reporter", "suspected")
    else:
        _keep_further(case, word, by)
    derive_deadlines(
        case, event_of_case(case), reason=_("Reported as serious"), by=by, easing=Easing.ASKED
    )
    return case


def _keep_further(case: SaeCase, word: FirstWord, by: User) -> None:
    """A second reporter's word stands beside the first: neither takes the other back."""
    said = (word.reporter.strip()[:200], word.suspected)
    there = case.further_words.values_list("reporter", "suspected")
    if said in [(case.reporter, case.suspected), *there]:
        return
    zone = ZoneInfo(case.site.time_zone)
    FurtherWord.objects.create(
        case=case,
        site_id=case.site_id,
        subject_id=case.subject_id,
        record_id=case.record_id,
        term=" ".join(word.term.split())[:200],
        reporter=word.reporter.strip()[:200],
        suspected=word.suspected,
        aware_at=word.aware_at.replace(tzinfo=zone, fold=0),
        said_by=by,
        said_at=trial_now(),
    )
    keep(case)


def _texts(word: FirstWord, row: AdverseEvent | None, *, known: bool) -> dict[str, str]:
    """The first word as the form's fields; of a known event only what it does not say yet."""
    texts = {
        "serious": "true",
        word.criterion: "true",
        "aware_at": word.aware_at.isoformat(timespec="minutes"),
    }
    if known and row is not None:
        if row.aware_at is not None and row.aware_at <= word.aware_at:
            # Somebody at the site knew before: the clock counts from the first.
            del texts["aware_at"]
        return texts
    texts["term"] = " ".join(word.term.split())[:200]
    if word.started_on is not None:
        texts["started_on"] = str(word.started_on)
        texts["started_time"] = word.started_time.isoformat("minutes") if word.started_time else ""
    return texts


def same_events(subject: Subject, word: FirstWord) -> list[AdverseEvent]:
    """The subject's standing events with the same words, or serious with the same start."""
    events = stored(AdverseEvent).filter(subject=subject, record__voided_at=None)
    words = word.term.casefold().split()
    return [
        event
        for event in events.select_related("record").order_by("record__repeat_key")
        if (event.term or "").casefold().split() == words
        or (event.is_sae and event.started_on and event.started_on == word.started_on)
    ]
