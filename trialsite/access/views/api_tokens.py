"""A person's own keys to the API."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from trialsite.access.api_tokens import LIFETIMES, create_token, revoke_token
from trialsite.access.capabilities import Capability, Role
from trialsite.access.http import StaffRequest, open_to_staff
from trialsite.access.models import ApiToken, Site, User
from trialsite.core.exceptions import DomainError


class TokenForm(forms.Form):
    """What a new key is for, and by how much less than its person it may."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("What uses it, such as “Monthly listing”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    days = forms.TypedChoiceField(
        label=_("Valid for"),
        coerce=int,
        initial=90,
        choices=[
            (each, _("%(days)s days") % {"days": each} if each < 365 else _("one year"))
            for each in LIFETIMES
        ],
    )
    site = forms.ModelChoiceField(
        label=_("Only at"), queryset=Site.objects.none(), required=False, empty_label=_("All sites")
    )
    role = forms.ChoiceField(label=_("Only as"), required=False)
    writes = forms.BooleanField(
        label=_("It may also write"),
        required=False,
        help_text=_("What it writes is written in your name."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["site"].queryset = Site.objects.filter(  # type: ignore[attr-defined]
            pk__in=user.access.sites()
        )
        held = [(role.value, role.label) for role in user.access.roles()]
        self.fields["role"].choices = [("", _("All roles")), *held]  # type: ignore[attr-defined]


@open_to_staff
@never_cache
@require_http_methods(["GET", "POST"])
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth ships no types here
def tokens(request: StaffRequest) -> HttpResponse:
    """The person's keys, and a form for a new one, which is shown this once."""
    form = TokenForm(request.POST or None, user=request.user)
    made = ""
    if request.method == "POST" and form.is_valid():
        try:
            made = _made(request.user, form.cleaned_data)
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            form = TokenForm(user=request.user)
    return render(
        request,
        "access/api_tokens.html",
        {"form": form, "made": made, "tokens": tokens_of(request.user), "now": timezone.now()},
    )


def _made(user: User, chosen: dict[str, Any]) -> str:
    text, _token = create_token(
        user=user,
        name=chosen["name"],
        days=chosen["days"],
        read_only=not chosen["writes"],
        site=chosen["site"],
        role=Role(chosen["role"]) if chosen["role"] else None,
    )
    return text


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """A person's keys, the newest first."""
    return user.api_tokens.select_related("site", "revoked_by")


@open_to_staff
@require_POST
def revoke(request: StaffRequest, pk: int) -> HttpResponse:
    """End a key: one's own, or a person's whose account one manages."""
    mine = ApiToken.objects.all()
    if not request.user.access.study_wide(Capability.MANAGE_PEOPLE):
        mine = mine.filter(user=request.user)
    found = get_object_or_404(mine, pk=pk)
    revoke_token(by=request.user, token=found)
    messages.success(request, _("“%(name)s” opens nothing any more.") % {"name": found.name})
    if found.user_id == request.user.pk:
        return redirect("access:api_tokens")
    return redirect("access:person", found.user_id)
