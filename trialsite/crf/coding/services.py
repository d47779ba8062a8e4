"""Giving a code: one term, every term with the same words as an earlier one, a whole file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, StaleError, TransitionError
from trialsite.crf.coding.terms import Term, coded_item, present_words, words_of
from trialsite.crf.models import DICTIONARIES, Coding

CHANGED = gettext_lazy("The words have been changed meanwhile. Please code what stands now.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a dictionary says: a term with its code, and the levels above as far as known."""

    version: str
    code: str
    term: str
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, coding: Coding) -> Code:
        """The same code once more."""
        return cls(version=coding.version, code=coding.code, term=coding.term, levels=coding.levels)


@transaction.atomic
def code_term(*, term: Term, code: Code, by: User) -> Coding:
    """Give a term its code; the one before is superseded and kept.

    Refused where the site has changed the words since they were read: the code was chosen
    for other words. The same code a second time changes nothing.
    """
    by.require(Capability.CODE_TERMS, site=term.record.site_id)
    record = CrfRecord.objects.select_for_update(no_key=True).get(pk=term.record.pk)
    _expect_codable(record, term)
    standing = Coding.objects.filter(
        row_id=term.row_id, item_oid=term.item_oid, superseded_at=None
    ).first()
    made = _coding(record, term, code, by)
    if standing is not None:
        if _same(standing, made):
            return standing
        standing.superseded_at = made.coded_at
        standing.save(update_fields=["superseded_at"])
    made.save()
    return made


def code_terms(*, codes: Iterable[tuple[Term, Code]], by: User) -> int:
    """Give several terms their codes, all or none of them; how many."""
    with transaction.atomic():
        return len([code_term(term=term, code=code, by=by) for term, code in codes])


def _expect_codable(record: CrfRecord, term: Term) -> None:
    if record.voided_at is not None:
        raise TransitionError(_("This record has been voided."))
    if record.is_closed:
        raise TransitionError(_("This record is locked. Ask the data manager to unlock it."))
    if record.status != RecordStatus.COMPLETE:
        raise TransitionError(_("The form is not complete yet."))
    present = present_words(record, term.item_oid, term.row_id)
    if present != term.verbatim:
        raise StaleError(
            str(CHANGED),
            current={"verbatim": present},
            version=record.version,
        )


def _coding(record: CrfRecord, term: Term, code: Code, by: User) -> Coding:
    _table, item = coded_item(term.item_oid)
    if not (code.version.strip() and code.code.strip() and code.term.strip()):
        raise DomainError(_("A code needs dictionary, version, code and term."))
    return Coding(
        site_id=record.site_id,
        subject_id=record.subject_id,
        record=record,
        row_id=term.row_id,
        item_oid=term.item_oid,
        verbatim=term.verbatim,
        words=words_of(term.verbatim),
        dictionary=item.dictionary,
        version=code.version.strip(),
        code=code.code.strip(),
        term=code.term.strip(),
        levels=_levels(item.dictionary, code.levels),
        coded_by=by,
        coded_at=trial_now(),
    )


def _levels(dictionary: str, given: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The levels this dictionary has, without what was left empty."""
    found = {
        level: {
            part: text for part in ("code", "term") if (text := given[level].get(part, "").strip())
        }
        for level in DICTIONARIES[dictionary]
        if level in given
    }
    return {level: said for level, said in found.items() if said}


def _same(one: Coding, other: Coding) -> bool:
    names = ("verbatim", "version", "code", "term", "levels")
    return all(getattr(one, name) == getattr(other, name) for name in names)
