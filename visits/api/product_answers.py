"""What the API says of the cell product, and what it takes: the shapes of its schema."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rest_framework import serializers

from trialsite.access.bodies import Body
from trialsite.access.signing import SigningBody
from trialsite.review.signing_api import SignatureAnswer, said_signature
from visits.models import (
    Assay,
    CellSource,
    DonorScreening,
    LoadedProduct,
    LotAct,
    LotDecision,
    LotMovement,
    LotState,
    MovementKind,
    ProductLot,
    ReleaseTest,
    ResultStage,
    Verdict,
)
from visits.selectors.products import Account, load_problems
from visits.services.products import LotFacts, TestFacts

_WALL = "The clock on the wall at the site, such as 2026-03-05T14:30"
_PERSON = "E-mail address of a person who works at the site"


class LotDecisionAnswer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    act = serializers.ChoiceField(choices=LotAct.choices)
    reason = serializers.CharField()
    test = serializers.UUIDField(allow_null=True, help_text="The failed result that stopped it")
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()
    signature = SignatureAnswer(allow_null=True)


class LotAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    code = serializers.CharField(help_text="EXLOT")
    state = serializers.ChoiceField(choices=LotState.choices)
    expired = serializers.BooleanField()
    product = serializers.CharField()
    source = serializers.ChoiceField(choices=CellSource.choices)  # type: ignore[assignment]
    donor_code = serializers.CharField()
    donor_screening = serializers.ChoiceField(choices=DonorScreening.choices)
    passage = serializers.IntegerField(allow_null=True)
    doublings = serializers.CharField(allow_null=True)
    manufactured_on = serializers.DateField()
    expires_at = serializers.DateTimeField()
    units_made = serializers.IntegerField()
    cells_per_unit = serializers.CharField(help_text="Million viable cells")
    viability = serializers.CharField(help_text="Percent, at release")
    storage = serializers.CharField()
    certificate = serializers.CharField()
    certificate_sha256 = serializers.CharField()
    decisions = LotDecisionAnswer(many=True)


class LotFactsBody(Body):
    product = serializers.CharField(max_length=200)
    source = serializers.ChoiceField(choices=CellSource.choices)  # type: ignore[assignment]
    donor_code = serializers.CharField(max_length=40)
    donor_screening = serializers.ChoiceField(choices=DonorScreening.choices)
    passage = serializers.IntegerField(
        min_value=0, max_value=999, required=False, default=None, allow_null=True
    )
    doublings = serializers.DecimalField(
        max_digits=6, decimal_places=1, required=False, default=None, allow_null=True
    )
    manufactured_on = serializers.DateField()
    expires_at = serializers.DateTimeField(help_text="A moment, with its offset")
    units_made = serializers.IntegerField(min_value=1, max_value=1_000_000)
    cells_per_unit = serializers.DecimalField(max_digits=12, decimal_places=3)
    viability = serializers.DecimalField(max_digits=4, decimal_places=1)
    storage = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    certificate = serializers.CharField(
        max_length=300, required=False, default="", allow_blank=True
    )
    certificate_sha256 = serializers.CharField(
        max_length=64, required=False, default="", allow_blank=True
    )


class NewLot(LotFactsBody):
    code = serializers.CharField(max_length=60, help_text="As scanned from the label")


class CorrectLot(LotFactsBody):
    reason = serializers.CharField(max_length=500)


class ReasonedBody(Body):
    reason = serializers.CharField(max_length=500)


class ReleaseBody(SigningBody):
    reason = serializers.CharField(max_length=500)


class TestAnswer(serializers.Serializer[Any]):
    __test__ = False

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Assay.choices)
    name = serializers.CharField()
    stage = serializers.ChoiceField(choices=ResultStage.choices)
    result = serializers.CharField()
    unit = serializers.CharField()
    limit = serializers.CharField()
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    resulted_on = serializers.DateField()
    document = serializers.CharField()
    document_sha256 = serializers.CharField()
    entered_by = serializers.CharField()
    entered_at = serializers.DateTimeField()
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class NewTest(Body):
    kind = serializers.ChoiceField(choices=Assay.choices)
    result = serializers.CharField(max_length=200)
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    resulted_on = serializers.DateField()
    stage = serializers.ChoiceField(choices=ResultStage.choices, default=ResultStage.FINAL)
    name = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    unit = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)
    limit = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    document = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)
    document_sha256 = serializers.CharField(
        max_length=64, required=False, default="", allow_blank=True
    )


class VoidTest(ReasonedBody):
    test = serializers.UUIDField()


class MovementAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    lot = serializers.CharField(help_text="Its number")
    number = serializers.IntegerField(help_text="In the account of the lot at the site")
    kind = serializers.ChoiceField(choices=MovementKind.choices)
    units = serializers.IntegerField()
    happened_at = serializers.CharField(help_text=_WALL)
    time_zone = serializers.CharField(help_text="IANA name")
    reason = serializers.CharField()
    document = serializers.CharField()
    temperature = serializers.CharField(allow_null=True, help_text="Degrees Celsius")
    entered_by = serializers.CharField()
    witness = serializers.CharField(allow_null=True)
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class NewMovement(Body):
    lot = serializers.CharField(max_length=60)
    site = serializers.CharField(max_length=3, help_text="SITEID")
    kind = serializers.ChoiceField(
        choices=[each for each in MovementKind.choices if each[0] != MovementKind.LOADED]
    )
    units = serializers.IntegerField(min_value=1, max_value=1_000_000)
    happened_at = serializers.CharField(max_length=30, help_text=_WALL)
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)
    document = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)
    temperature = serializers.DecimalField(
        max_digits=5, decimal_places=1, required=False, default=None, allow_null=True
    )
    witness = serializers.EmailField(
        required=False, default=None, allow_null=True, help_text=_PERSON
    )


class AccountAnswer(serializers.Serializer[Any]):
    SITEID = serializers.CharField()
    received = serializers.IntegerField()
    loaded = serializers.IntegerField()
    returned = serializers.IntegerField()
    destroyed = serializers.IntegerField()
    left = serializers.IntegerField()


class LoadedAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    SCRNID = serializers.CharField()
    subject = serializers.UUIDField()
    session = serializers.UUIDField()
    session_number = serializers.IntegerField()
    lot = serializers.CharField(help_text="EXLOT")
    units = serializers.IntegerField()
    viable_cells = serializers.CharField(help_text="Million cells, EXDOSE")
    prescribed_cells = serializers.CharField(allow_null=True)
    viability_thawed = serializers.CharField(allow_null=True, help_text="Percent")
    viability_loaded = serializers.CharField(allow_null=True, help_text="Percent")
    thaw_started_at = serializers.CharField(help_text=_WALL)
    thaw_ended_at = serializers.CharField(help_text=_WALL)
    washed = serializers.BooleanField(allow_null=True)
    hold_temperature = serializers.CharField(allow_null=True)
    loaded_at = serializers.CharField(help_text=_WALL)
    time_zone = serializers.CharField(help_text="IANA name")
    reactor_serial = serializers.CharField()
    storage_position = serializers.CharField()
    loaded_by = serializers.CharField()
    checked_by = serializers.CharField()
    problems = serializers.ListField(
        child=serializers.CharField(), help_text="To be confirmed before the session is completed"
    )
    confirmed = serializers.CharField()
    late_reason = serializers.CharField()
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class NewLoad(Body):
    session = serializers.UUIDField()
    lot = serializers.CharField(max_length=60, help_text="As scanned from the label")
    reactor_serial = serializers.CharField(max_length=60)
    units = serializers.IntegerField(min_value=1, max_value=10_000, default=1)
    viable_cells = serializers.DecimalField(
        max_digits=12, decimal_places=3, help_text="Million cells"
    )
    prescribed_cells = serializers.DecimalField(
        max_digits=12, decimal_places=3, required=False, default=None, allow_null=True
    )
    viability_thawed = serializers.DecimalField(
        max_digits=4, decimal_places=1, required=False, default=None, allow_null=True
    )
    viability_loaded = serializers.DecimalField(
        max_digits=4, decimal_places=1, required=False, default=None, allow_null=True
    )
    thaw_started_at = serializers.CharField(max_length=30, help_text=_WALL)
    thaw_ended_at = serializers.CharField(max_length=30, help_text=_WALL)
    loaded_at = serializers.CharField(max_length=30, help_text=_WALL)
    washed = serializers.BooleanField(required=False, default=None, allow_null=True)
    hold_temperature = serializers.DecimalField(
        max_digits=4, decimal_places=1, required=False, default=None, allow_null=True
    )
    storage_position = serializers.CharField(
        max_length=200, required=False, default="", allow_blank=True
    )
    loaded_by = serializers.EmailField(help_text=_PERSON)
    checked_by = serializers.EmailField(help_text=_PERSON)
    late_reason = serializers.CharField(
        max_length=500, required=False, default="", allow_blank=True
    )


class ConfirmLoadedBody(Body):
    comment = serializers.CharField(max_length=500)


class RecallAnswer(serializers.Serializer[Any]):
    lot = LotAnswer()
    loaded = LoadedAnswer(many=True)
    accounts = AccountAnswer(many=True)
    inform = serializers.ListField(
        child=serializers.DictField(), help_text="SITEID and the names of whom to tell"
    )


def _said(number: Any) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def _wall(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="minutes")


def said_decision(decision: LotDecision) -> dict[str, Any]:
    return {
        "number": decision.number,
        "act": decision.act,
        "reason": decision.reason,
        "test": decision.test_id,
        "decided_by": decision.decided_by.full_name,
        "decided_at": decision.decided_at,
        "signature": said_signature(decision.signature) if decision.signature else None,
    }


def said_lot(lot: ProductLot, now: dt.datetime) -> dict[str, Any]:
    numbers = ("doublings", "cells_per_unit", "viability")
    return {
        "id": lot.pk,
        "code": lot.code,
        "state": lot.state,
        "expired": lot.is_expired(now),
        **{name: getattr(lot, name) for name in LotFacts.__dataclass_fields__},
        **{name: _said(getattr(lot, name)) for name in numbers},
        "decisions": [said_decision(each) for each in lot.decisions.all()],
    }


def said_test(test: ReleaseTest) -> dict[str, Any]:
    return {
        "id": test.pk,
        **{name: getattr(test, name) for name in TestFacts.__dataclass_fields__},
        "entered_by": test.entered_by.full_name,
        "entered_at": test.entered_at,
        "voided_at": test.voided_at,
        "void_reason": test.void_reason,
    }


def said_movement(movement: LotMovement) -> dict[str, Any]:
    names = ("number", "kind", "units", "time_zone", "reason", "document", "voided_at")
    return {
        "id": movement.pk,
        "SITEID": movement.site.code,
        "lot": movement.lot.code,
        **{name: getattr(movement, name) for name in (*names, "void_reason")},
        "happened_at": _wall(movement.happened_at),
        "temperature": _said(movement.temperature),
        "entered_by": movement.entered_by.full_name,
        "witness": movement.witness.full_name if movement.witness else None,
    }


def said_account(account: Account) -> dict[str, Any]:
    names = ("received", "loaded", "returned", "destroyed", "left")
    return {"SITEID": account.site.code, **{name: getattr(account, name) for name in names}}


def said_loaded(loaded: LoadedProduct) -> dict[str, Any]:
    numbers = ("viable_cells", "prescribed_cells", "viability_thawed", "viability_loaded",
               "hold_temperature")  # fmt: skip
    plain = ("units", "washed", "time_zone", "reactor_serial", "storage_position", "confirmed",
             "late_reason", "voided_at", "void_reason")  # fmt: skip
    times = ("thaw_started_at", "thaw_ended_at", "loaded_at")
    return {
        "id": loaded.pk,
        "SITEID": loaded.site.code,
        "SUBJID": loaded.subject.number,
        "SCRNID": loaded.subject.screening_number,
        "subject": loaded.subject_id,
        "session": loaded.session_id,
        "session_number": loaded.session.number,
        "lot": loaded.lot.code,
        **{name: getattr(loaded, name) for name in plain},
        **{name: _said(getattr(loaded, name)) for name in numbers},
        **{name: _wall(getattr(loaded, name)) for name in times},
        "loaded_by": loaded.loaded_by.full_name,
        "checked_by": loaded.checked_by.full_name,
        "problems": load_problems(loaded),
    }
