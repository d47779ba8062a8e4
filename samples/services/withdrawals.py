"""The destruction list follows the withdrawal of the consent for samples (decisions C5, C10)."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from samples.models import (
    LIVE_SPECIMENS,
    Aliquot,
    AliquotState,
    CustodyEvent,
    CustodyKind,
    Destruction,
    DestructionLine,
    Outcome,
    Specimen,
    SpecimenState,
)
from samples.services.refusing import sample_refusals
from screening.models.consent import Scope
from screening.selectors.consent import standing_of
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import TransitionError
from trialsite.crf.violations import ImpossibleError

#: (specimen, aliquot) as a line names them.
_Named = tuple[uuid.UUID, uuid.UUID | None]


@transaction.atomic
def follow_withdrawal(subject: Subject, by: User) -> Destruction | None:
    """List what is to be destroyed while samples are withdrawn; lift the lists when not.

    The consequence of another act whose rights have been checked (a withdrawal, its voiding,
    a later consent, a sample entered late or found again). Again, it changes nothing.
    """
    subject = Subject.objects.select_for_update(no_key=True, of=("self",)).get(pk=subject.pk)
    act = standing_of(subject).withdrawn_by.get(Scope.SAMPLES)
    lists = list(Destruction.objects.standing().filter(subject=subject))
    if act is None:
        for each in lists:
            _lift(each, by)
        return None
    for each in lists:
        if each.withdrawn_at != act.at:
            each.withdrawn_at = act.at
            each.save(update_fields=["withdrawn_at"])
    found = next((each for each in lists if each.is_open), None)
    named = set(_named(subject, lists))
    if found is None and (named or not lists):
        found = Destruction.objects.create(
            site_id=subject.site_id,
            subject=subject,
            withdrawn_at=act.at,
            opened_by=by,
            opened_at=trial_now(),
        )
    if found is None:
        return None
    _list(found, named)
    if not found.lines.exists():
        _close(found, by)  # nothing was ever collected
    return found


def follow_late_entry(subject: Subject, by: User) -> None:
    """The same after a sample was entered late or found again; costs little without a list."""
    if Destruction.objects.standing().filter(subject=subject).exists():
        follow_withdrawal(subject, by)


def is_listed(specimen: Specimen) -> bool:
    """Whether it, or an aliquot of it, is still to be destroyed."""
    lines = DestructionLine.objects.filter(specimen=specimen, outcome="")
    return lines.filter(destruction__lifted_at=None).exists()


def refuse_withdrawn(subject: Subject) -> None:
    """Refuse to prepare a sample for use whose participant has withdrawn the consent."""
    if Destruction.objects.standing().filter(subject=subject).exists():
        raise TransitionError(
            _("The consent for samples is withdrawn: this sample is to be destroyed.")
        )


def demand_witness(
    sample: Specimen | Aliquot,
    kind: CustodyKind,
    *,
    by: User,
    at: dt.datetime | None,
    witness: User | None,
) -> User | None:
    """Who saw a sample destroyed, or discarded after a withdrawal: somebody else than `by`;
    None where nobody need have."""
    moment = at.replace(tzinfo=ZoneInfo(sample.site.time_zone)) if at else trial_now()
    lists = Destruction.objects.standing().filter(subject=sample.subject_id)
    if kind is CustodyKind.DESTROYED:
        words = _("Destroying is witnessed by a second person.")
    elif kind is CustodyKind.DISCARDED and lists.filter(withdrawn_at__lte=moment).exists():
        words = _("After a withdrawal, discarding is witnessed by a second person.")
    else:
        return None
    if witness is None or witness.pk == by.pk:
        raise ImpossibleError({"witness": [words]})
    return witness


def _lift(destruction: Destruction, by: User) -> None:
    destruction.lifted_at, destruction.lifted_by = trial_now(), by
    with because(_("The withdrawal no longer stands.")):
        destruction.save(update_fields=["lifted_at", "lifted_by"])


def _named(subject: Subject, lists: list[Destruction]) -> Iterator[_Named]:
    """Every sample that is somewhere, or lost and on no list of this withdrawal yet."""
    specimens = Specimen.objects.standing().filter(subject=subject)
    for key in specimens.filter(state__in=LIVE_SPECIMENS).values_list("pk", flat=True):
        yield key, None
    aliquots = Aliquot.objects.filter(subject=subject, specimen__voided_at=None)
    for specimen, key in aliquots.live().values_list("specimen", "pk"):
        yield specimen, key
    told = set(
        DestructionLine.objects.filter(destruction__in=lists).values_list("specimen", "aliquot")
    )
    lost: list[_Named] = [
        (key, None)
        for key in specimens.filter(state=SpecimenState.LOST).values_list("pk", flat=True)
    ]
    lost += aliquots.filter(state=AliquotState.LOST).values_list("specimen", "pk")
    yield from (each for each in lost if each not in told)


def _list(destruction: Destruction, named: set[_Named]) -> None:
    have = set(destruction.lines.values_list("specimen", "aliquot"))
    missing = named - have
    losses = _losses({specimen for specimen, _aliquot in missing})
    now = trial_now()
    rows = [
        DestructionLine(
            site_id=destruction.site_id,
            subject_id=destruction.subject_id,
            destruction=destruction,
            specimen_id=specimen,
            aliquot_id=aliquot,
            listed_at=now,
            outcome=Outcome.LOST if (specimen, aliquot) in losses else "",
            event_id=losses.get((specimen, aliquot)),
        )
        for specimen, aliquot in sorted(missing, key=str)
    ]
    with sample_refusals(DestructionLine):
        DestructionLine.objects.bulk_create(rows)


def _losses(specimens: set[uuid.UUID]) -> dict[_Named, uuid.UUID]:
    """The event by which each lost sample was lost."""
    events = CustodyEvent.objects.filter(specimen__in=specimens, kind=CustodyKind.LOST)
    last = {
        (specimen, aliquot): key
        for specimen, aliquot, key in events.order_by("number").values_list(
            "specimen", "aliquot", "pk"
        )
    }
    gone = set(
        Specimen.objects.filter(pk__in=specimens, state=SpecimenState.LOST).values_list(
            "pk", flat=True
        )
    )
    parts = Aliquot.objects.filter(specimen__in=specimens, state=AliquotState.LOST)
    gone_parts = set(parts.values_list("pk", flat=True))
    return {
        (specimen, aliquot): key
        for (specimen, aliquot), key in last.items()
        if (aliquot in gone_parts if aliquot else specimen in gone)
    }


@transaction.atomic
def close_destruction(*, destruction: Destruction, by: User) -> Destruction:
    """Close a list on which each sample is destroyed or explained; else it is refused, by
    PostgreSQL too."""
    by.require(Capability.HANDLE_SAMPLES, site=destruction.site_id)
    follow_withdrawal(destruction.subject, by)
    destruction = held_list(destruction)
    if destruction.closed_at is not None:
        return destruction
    waiting = sum(not each.is_settled for each in destruction.lines.select_related("specimen"))
    if waiting:
        said = ngettext(
            "%(count)d sample is not destroyed or explained yet.",
            "%(count)d samples are not destroyed or explained yet.",
            waiting,
        )
        raise TransitionError(said % {"count": waiting})
    return _close(destruction, by)


def _close(destruction: Destruction, by: User) -> Destruction:
    destruction.closed_at, destruction.closed_by = trial_now(), by
    with sample_refusals(Destruction):
        destruction.save(update_fields=["closed_at", "closed_by"])
    return destruction


def held_list(destruction: Destruction) -> Destruction:
    """The list under its lock; one whose withdrawal no longer stands is refused."""
    waiting = Destruction.objects.select_for_update(no_key=True, of=("self",))
    held = waiting.select_related("subject__site", "site").get(pk=destruction.pk)
    if held.lifted_at is not None:
        raise TransitionError(
            _("The withdrawal no longer stands: what is left need not be destroyed.")
        )
    return held
