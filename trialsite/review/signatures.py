"""Signing, voiding a signature, and telling whether one still stands (21 CFR 11 C)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.access.signing import SigningProof, zone_of
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.core.acts import note_acts
from trialsite.core.clock import TrialNow
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.review.models import Sense, Signature

#: The kind of a signature under a CRF record as a whole.
RECORD = "crf_record"


@transaction.atomic
def sign(
    *,
    kind: str,
    target: uuid.UUID,
    content: str,
    meaning: str | Promise,
    by: User,
    proof: SigningProof,
    record: CrfRecord | None = None,
    site: Site | None = None,
    sense: Sense = Sense.APPROVAL,
    capability: Capability | None = None,
) -> Signature:
    """Sign a content in one's own name (21 CFR 11.50, ICH E6(R3) 4.2.2).

    Without a record and a site it is an act of the whole study, for which the capability
    must be held study-wide; so is every act of study configuration (decisions P1). Raises
    NotPermittedError without the right, or with another's or an old proof.
    """
    made = sign_each(
        kind=kind,
        contents={target: content},
        meaning=meaning,
        by=by,
        proof=proof,
        record=record,
        site=site,
        sense=sense,
        capability=capability,
    )
    return made[target]


@transaction.atomic
def sign_each(
    *,
    kind: str,
    contents: Mapping[uuid.UUID, str],
    meaning: str | Promise,
    by: User,
    proof: SigningProof,
    record: CrfRecord | None = None,
    site: Site | None = None,
    sense: Sense = Sense.APPROVAL,
    capability: Capability | None = None,
) -> dict[uuid.UUID, Signature]:
    """Sign several contents by one proof, a signature each: all or none (decisions P3).

    `contents` by what is signed. As `sign` otherwise; the statements do not grow in number.
    """
    proof.expect(by)
    place = record.site if record is not None else site
    _require(by, place, capability or _right_for(place))
    shared: dict[str, Any] = {
        "site": place,
        "subject_id": record.subject_id if record is not None else None,
        "record": record,
        "kind": kind,
        "sense": sense,
        "meaning": str(meaning),
        "signed_by": by,
        "printed_name": by.full_name,
        "role": ", ".join(by.access.roles(place.pk if place else None)),
        "method": proof.method,
        "signed_at": TrialNow(),
        "trial_at": TrialNow(),
        "time_zone": zone_of(by, place),
    }
    made = Signature.objects.bulk_create(
        Signature(
            target=target,
            seal=seal_of(kind, target, by.pk, sense, str(meaning), content),
            **shared,
        )
        for target, content in contents.items()
    )
    _read_times(made)
    _note("signed", made)
    return {each.target: each for each in made}


def _read_times(made: list[Signature]) -> None:
    """Take over the times that the database has set."""
    rows = Signature.objects.filter(pk__in=[each.pk for each in made])
    times = {pk: said for pk, *said in rows.values_list("pk", "signed_at", "trial_at")}
    for each in made:
        each.signed_at, each.trial_at = times[each.pk]


def _right_for(place: Site | None) -> Capability:
    return Capability.CONFIGURE_STUDY if place is None else Capability.SIGN_FORM


def _require(by: User, place: Site | None, capability: Capability) -> None:
    if place is None or capability == Capability.CONFIGURE_STUDY:
        by.require_study_wide(capability)
    else:
        by.require(capability, site=place)


def seal_of(
    kind: str, target: uuid.UUID, signer: int, sense: str, meaning: str, content: str
) -> str:
    """SHA-256 over what is signed, by whom, in which sense and words."""
    parts = [kind, str(target), signer, str(sense), meaning, content]
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _note(act: str, signatures: Sequence[Signature]) -> None:
    """Note an act upon signatures that stand at the same place."""
    for first in signatures[:1]:
        note_acts(
            act,
            [
                {
                    "signature": str(each.pk),
                    "kind": each.kind,
                    "target": str(each.target),
                    "sense": str(each.sense),
                }
                for each in signatures
            ],
            site_id=first.site_id,
            subject_id=first.subject_id,
            record_id=first.record_id,
        )


def stands(signature: Signature, content: str) -> bool:
    """Whether the signature is unvoided and this content is the very one that was signed."""
    if signature.voided_at is not None:
        return False
    return is_sealed(content, *(getattr(signature, name) for name in SEALED))


#: What of a signature its seal is made of, and the seal itself, as `is_sealed` takes them.
SEALED = ("seal", "kind", "target", "signed_by_id", "sense", "meaning")


def is_sealed(
    content: str, seal: str, kind: str, target: uuid.UUID, signer: int, sense: str, meaning: str
) -> bool:
    """Whether this content is the very one that was signed; of an unvoided signature's columns."""
    return seal == seal_of(kind, target, signer, sense, meaning, content)


def canonical(content: object) -> str:
    """Plain data as the one text that is signed: the same whatever the order of its names."""
    return json.dumps(
        content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str
    )


def content_of(record: CrfRecord) -> str:
    """What is signed of a CRF record: its data by their hash, and the state of the whole.

    The count of saves is in it: a value changed and changed back is signed anew, and so is
    a form one of whose rows has changed.
    """
    return canonical(
        {
            "record": record.pk,
            "form": record.form_oid,
            "form_version": record.form_version,
            "protocol_version": record.protocol_version_id,
            "status": record.status,
            "not_done_reason": record.not_done_reason,
            "version": record.version,
            "content_hash": record.content_hash,
        }
    )


@transaction.atomic
def sign_record(
    *,
    record: CrfRecord,
    meaning: str | Promise,
    by: User,
    proof: SigningProof,
    seen_version: int,
    sense: Sense = Sense.RESPONSIBILITY,
) -> Signature:
    """Sign a completed CRF record as a whole, in the version that the person has read."""
    record = CrfRecord.objects.select_for_update(no_key=True, of=("self",)).get(pk=record.pk)
    if record.voided_at is not None:
        raise TransitionError(_("This record has been voided."))
    if record.status not in {RecordStatus.COMPLETE, RecordStatus.NOT_DONE}:
        raise TransitionError(_("Only a completed form can be signed."))
    if record.version != seen_version:
        raise TransitionError(_("Somebody else changed this record. Read it again."))
    return sign(
        record=record,
        kind=RECORD,
        target=record.pk,
        content=content_of(record),
        meaning=meaning,
        by=by,
        proof=proof,
        sense=sense,
    )


@transaction.atomic
def sign_many(
    *,
    manifest: Iterable[tuple[CrfRecord, int]],
    meaning: str | Promise,
    by: User,
    proof: SigningProof,
    sense: Sense = Sense.RESPONSIBILITY,
) -> list[Signature]:
    """Sign every listed record, each in the version that was listed: one proof, one
    signature for each, all or none (decisions P3)."""
    return [
        sign_record(
            record=record, meaning=meaning, by=by, proof=proof, seen_version=version, sense=sense
        )
        for record, version in manifest
    ]


def standing(record: CrfRecord) -> list[Signature]:
    """The signatures under a CRF record that still hold for what it contains now."""
    return [
        each
        for each in Signature.objects.unvoided().filter(record=record, kind=RECORD)
        if stands(each, content_of(record))
    ]


def standing_of(*, kind: str, target: uuid.UUID, content: str) -> list[Signature]:
    """The signatures under another thing that still hold for this content."""
    found = Signature.objects.unvoided().filter(kind=kind, target=target)
    return [each for each in found if stands(each, content)]


@transaction.atomic
def void_signature(*, signature: Signature, reason: str, by: User) -> Signature:
    """Take a signature back, with reason; it stays readable and is never signed again."""
    signature = Signature.objects.select_for_update(no_key=True, of=("self",)).get(pk=signature.pk)
    _require(by, signature.site, _right_for(signature.site))
    if signature.voided_at is not None:
        raise TransitionError(_("This signature is voided already."))
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    with because(reason):
        signature.voided_at, signature.voided_by = TrialNow(), by
        signature.void_reason = reason.strip()
        signature.save(update_fields=["voided_at", "voided_by", "void_reason"])
    signature.refresh_from_db()
    _note("signature_voided", [signature])
    return signature
