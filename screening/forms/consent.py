"""What is typed about consent, read field by field; the services say what cannot stand."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

from screening.models.consent import (
    OPTIONS,
    CapacityAssessment,
    CapacityOutcome,
    Consent,
    ConsentApproval,
    ConsentDocument,
    ConsentKind,
    ConsentLanguage,
    HeGrade,
    Scope,
    Signer,
    Withdrawal,
)
from screening.services.consent import SignedAct
from screening.services.consent_records import FieldsError
from screening.standing import Standing
from trialsite.access.forms import DateField
from trialsite.access.models import User
from trialsite.casebook.views import ACCEPTED
from trialsite.core.wall_time import WallTimeField

CHOOSE = ("", _("Choose"))
LATER = (ConsentKind.RECONSENT, ConsentKind.REPRESENTATIVE, ConsentKind.OWN)


def label_of(model: type[models.Model], name: str) -> Any:
    """The field's name as the model says it."""
    return model._meta.get_field(name).verbose_name  # type: ignore[union-attr]


class WallTime(forms.Field):
    """The clock on the wall at the site, without an offset."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> dt.datetime | None:
        return WallTimeField().to_python(value)


class YesNo(forms.TypedChoiceField):
    """Yes, no, or not answered yet."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            choices=[("", _("Not answered")), ("yes", _("Yes")), ("no", _("No"))],
            coerce=lambda text: text == "yes",
            empty_value=None,
            required=False,
            **kwargs,
        )


class Choice(forms.ChoiceField):
    """One of a list, none chosen beforehand."""

    def __init__(self, *, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices=[CHOOSE, *choices], **kwargs)


class PersonChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in stubs only
    """A person, by name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=User.objects.none(), empty_label=_("Choose"), **kwargs)


class SaidForm(forms.Form):
    """A form whose service may refuse by field."""

    def refuse(self, refused: FieldsError) -> None:
        """Put each error beside its field; what belongs to none stands above."""
        for name, texts in refused.errors.items():
            for text in texts:
                self.add_error(name if name in self.fields else None, text)


class ConsentForm(SaidForm):
    """One signed form, as it lies on the desk."""

    kind = Choice(label=label_of(Consent, "kind"), choices=ConsentKind.choices)
    document = forms.ModelChoiceField(
        label=label_of(Consent, "document"),
        queryset=ConsentDocument.objects.none(),
        empty_label=_("Choose"),
    )
    signed_at = WallTime(label=label_of(Consent, "signed_at"))
    signer = Choice(label=label_of(Consent, "signer"), choices=Signer.choices)
    relation = forms.CharField(
        label=label_of(Consent, "relation"),
        required=False,
        max_length=100,
        help_text=_("What they are to the participant, such as daughter; no name."),
    )
    explained_by = PersonChoice(label=label_of(Consent, "explained_by"))
    witness = forms.CharField(
        label=label_of(Consent, "witness"),
        required=False,
        max_length=100,
        help_text=_("An impartial witness, by what they are; no name."),
    )
    named_representative = forms.CharField(
        label=label_of(Consent, "named_representative"),
        required=False,
        max_length=100,
        help_text=_("Whom the participant names should capacity be lost later; no name."),
    )
    copy_given = forms.BooleanField(label=label_of(Consent, "copy_given"), required=False)
    future_use = YesNo(label=label_of(Consent, "future_use"))
    genetic_analysis = YesNo(label=label_of(Consent, "genetic_analysis"))
    later_contact = YesNo(label=label_of(Consent, "later_contact"))
    data_sharing = YesNo(label=label_of(Consent, "data_sharing"))
    resumes = forms.MultipleChoiceField(
        label=_("Takes back the withdrawal of"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    comment = forms.CharField(
        label=label_of(Consent, "comment"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    scan = forms.FileField(
        label=_("Scan of the signed form"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ACCEPTED}),
        help_text=_("PDF or picture, names blacked out. It may follow later."),
    )

    def __init__(
        self,
        *args: Any,
        standing: Standing | None,
        documents: models.QuerySet[ConsentDocument],
        people: models.QuerySet[User],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._field("document").queryset = documents
        self._field("explained_by").queryset = people
        first = standing is None or not standing.consents
        again = () if standing is None or not standing.lacks_first else (ConsentKind.INITIAL,)
        kinds = (ConsentKind.INITIAL,) if first else (*again, *LATER)
        self._field("kind").choices = [*([] if first else [CHOOSE]), *((k, k.label) for k in kinds)]
        gone = standing.scopes if standing else frozenset()
        self._field("resumes").choices = [(s.value, s.label) for s in Scope if s in gone]
        if not gone:
            del self.fields["resumes"]

    def _field(self, name: str) -> Any:
        return self.fields[name]

    @property
    def act(self) -> SignedAct:
        """What was typed, once it is valid."""
        said = {name: value for name, value in self.cleaned_data.items() if name != "scan"}
        return SignedAct(**(said | {"resumes": tuple(said.get("resumes", ()))}))


class MissingForm(SaidForm):
    """What was still missing on a consent."""

    copy_given = forms.BooleanField(label=label_of(Consent, "copy_given"), required=False)

    def __init__(self, *args: Any, consent: Consent, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if consent.copy_given:
            del self.fields["copy_given"]
        for name in OPTIONS:
            if getattr(consent, name) is None:
                self.fields[name] = YesNo(label=label_of(Consent, name))


class CapacityForm(SaidForm):
    """An assessment as the investigator made it."""

    assessed_at = WallTime(label=label_of(CapacityAssessment, "assessed_at"))
    assessor = PersonChoice(label=label_of(CapacityAssessment, "assessor"))
    he_grade = Choice(
        label=label_of(CapacityAssessment, "he_grade"),
        choices=HeGrade.choices,
        help_text=_("West Haven grade at that moment."),
    )
    outcome = Choice(label=label_of(CapacityAssessment, "outcome"), choices=CapacityOutcome.choices)
    method = forms.CharField(
        label=label_of(CapacityAssessment, "method"),
        max_length=200,
        help_text=_("Such as: asked to repeat purpose, risks and that leaving is free."),
    )
    comment = forms.CharField(
        label=label_of(CapacityAssessment, "comment"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, people: models.QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assessor"].queryset = people  # type: ignore[attr-defined]


class WithdrawalForm(SaidForm):
    """What a participant takes back."""

    withdrawn_at = WallTime(label=label_of(Withdrawal, "withdrawn_at"))
    scopes = forms.MultipleChoiceField(
        label=label_of(Withdrawal, "scopes"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    stated_by = Choice(label=label_of(Withdrawal, "stated_by"), choices=Signer.choices)
    relation = forms.CharField(
        label=label_of(Withdrawal, "relation"),
        required=False,
        max_length=100,
        help_text=_("What they are to the participant, such as daughter; no name."),
    )
    reason = forms.CharField(
        label=label_of(Withdrawal, "reason"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("A participant owes no reason."),
    )
    comment = forms.CharField(
        label=label_of(Withdrawal, "comment"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class DocumentForm(SaidForm):
    """One language of one version."""

    version = forms.CharField(label=label_of(ConsentDocument, "version"), max_length=40)
    language = Choice(label=label_of(ConsentDocument, "language"), choices=ConsentLanguage.choices)
    title = forms.CharField(label=label_of(ConsentDocument, "title"), max_length=200)
    change_note = forms.CharField(
        label=label_of(ConsentDocument, "change_note"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    reconsent_required = forms.BooleanField(
        label=label_of(ConsentDocument, "reconsent_required"), required=False
    )
    reference = forms.CharField(
        label=_("Where it is filed"),
        max_length=200,
        help_text=_("Such as the section of the trial master file; the trail keeps it."),
    )


class ApprovalForm(SaidForm):
    """An ethics committee's approval for a site."""

    site = forms.TypedChoiceField(label=_("Site"), coerce=int)
    document = forms.ModelChoiceField(
        label=_("Document"), queryset=ConsentDocument.objects.all(), empty_label=_("Choose")
    )
    committee = forms.CharField(label=_("Ethics committee"), max_length=200)
    reference = forms.CharField(label=_("Approval number"), max_length=100)
    approved_on = DateField(label=_("Approved on"))
    effective_on = DateField(label=_("In force from"))

    def __init__(self, *args: Any, sites: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["site"].choices = [CHOOSE, *sites]  # type: ignore[attr-defined]


class WithdrawApprovalForm(SaidForm):
    """Which approval is withdrawn, from when, and why."""

    approval = forms.ModelChoiceField(
        label=_("Approval"), queryset=ConsentApproval.objects.none(), empty_label=_("Choose")
    )
    on = DateField(label=label_of(ConsentApproval, "withdrawn_on"))
    reason = forms.CharField(label=label_of(ConsentApproval, "withdrawal_reason"), max_length=500)

    def __init__(
        self, *args: Any, approvals: models.QuerySet[ConsentApproval], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        standing = approvals.filter(withdrawn_on=None).select_related("site", "document")
        self.fields["approval"].queryset = standing  # type: ignore[attr-defined]
