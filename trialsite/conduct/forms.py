"""What people type about holds, rules and reviews."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability
from trialsite.access.forms import DateField
from trialsite.access.models import Site, User
from trialsite.access.signing import SigningForm
from trialsite.casebook.protocols import protocol_of
from trialsite.conduct.models import Decision, Scope
from trialsite.conduct.selectors import RuleLine
from trialsite.protocol.proposals import GateKind, GateProposal

WHOLE_STUDY = "*"


def _words(rows: int = 3) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class HoldForm(forms.Form):
    """A hold to place: where, what, why."""

    where = forms.ChoiceField(label=_("Where"))
    scope = forms.ChoiceField(label=_("What is held"), choices=[("", ""), *Scope.choices])
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=_words(),
        help_text=_(
            "Everybody whom the hold binds reads it. Write nothing that tells of a person."
        ),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sites = {
            str(site.pk): site
            for site in Site.objects.filter(pk__in=user.access.sites(Capability.HOLD))
        }
        choices = [("", ""), *((key, str(site)) for key, site in self.sites.items())]
        if user.access.study_wide(Capability.HOLD):
            choices.append((WHOLE_STUDY, str(_("The whole study"))))
        field = self.fields["where"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def site(self) -> Site | None:
        """The chosen site; None for the whole study."""
        return self.sites.get(self.cleaned_data["where"])


class ScopeForm(forms.Form):
    """What a proposed hold shall hold."""

    scope = forms.ChoiceField(label=_("What is held"), choices=Scope.choices)


class ReasonedSigningForm(SigningForm):
    """A reason and a signature."""

    reason = forms.CharField(label=_("Reason"), max_length=500, widget=_words())


class SwitchForm(ReasonedSigningForm):
    """A switch of a rule: the parameters that were read go with it."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=5000)


class ReviewForm(SigningForm):
    """What a safety review decided, and the signature under it."""

    decision = forms.ChoiceField(label=_("Decision"), choices=[("", ""), *Decision.choices])
    meeting_on = DateField(label=_("Date of the meeting"))
    document = forms.CharField(
        label=_("Document"),
        max_length=500,
        help_text=_("The minutes: name, number, where they are kept."),
    )
    covers = forms.MultipleChoiceField(
        label=_("Subjects whom this review lets pass"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Without the data of the day they never open the gate by themselves."),
    )
    next_after = forms.IntegerField(
        label=_("Next review after subjects"),
        required=False,
        min_value=1,
        max_value=10_000,
        help_text=_("So many subjects enrolled, and the gate closes again. Empty: it stays open."),
    )
    next_on = DateField(label=_("Next review on"), required=False)
    comment = forms.CharField(label=_("Comment"), max_length=1000, required=False, widget=_words())

    def at_gate(self, line: RuleLine) -> None:
        """What a review at this gate can say: whom it lets pass, or when the next is due."""
        gate = line.rule.proposal
        sentinel = isinstance(gate, GateProposal) and gate.kind is GateKind.SENTINEL
        del self.fields["next_after" if sentinel else "covers"]
        if not sentinel:
            return
        waiting = [each for each in line.subjects if each.state.reviewable]
        if not waiting:
            del self.fields["covers"]
            return
        field = self.fields["covers"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [
            (str(each.pk), f"{each.label} · {each.ended}" if each.ended else each.label)
            for each in waiting
        ]


class StudyReviewForm(ReviewForm):
    """The same about a snapshot: at a gate, or of the study as a whole."""

    gate = forms.ChoiceField(
        label=_("Gate"),
        required=False,
        help_text=_(
            "A review of the study as a whole opens and closes no gate, and holds nothing by "
            "itself: a pause that was decided is placed as a hold."
        ),
    )

    def offer(self, version_id: int) -> None:
        """The gates of a version that wait for reviews of a number of subjects."""
        del self.fields["covers"]
        language = get_language() or "en"
        field = self.fields["gate"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("", _("The study as a whole")),
            *(
                (gate.key, gate.name.in_language(language))
                for gate in protocol_of(version_id).proposals.gates
                if gate.kind is GateKind.COHORT_REVIEW
            ),
        ]


class SnapshotForm(forms.Form):
    """What a data cut is for."""

    purpose = forms.CharField(
        label=_("Purpose"),
        max_length=200,
        help_text=_("For example the meeting it is prepared for."),
    )
