"""One way to do an act of a page: typed, tried, refused beside its field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise

from screening.services.consent import ProcedureRefusedError
from trialsite.access.http import StaffRequest
from trialsite.access.keeping import keep
from trialsite.core.exceptions import DomainError, NotPermittedError

GET_AND_POST = ["GET", "HEAD", "POST"]


def typed(request: StaffRequest) -> Any:
    """What was sent, or nothing where the page is only opened."""
    return request.POST if request.method == "POST" else None


def did(request: HttpRequest, form: forms.Form, act: Callable[[], object]) -> bool:
    """Whether the act was done; a refusal stands beside the field it is about."""
    try:
        act()
    except NotPermittedError:
        raise
    except DomainError as error:
        if isinstance(error, ProcedureRefusedError):
            keep(request, error.propose)
        for name, found in getattr(error, "errors", {"": [str(error)]}).items():
            known = "at" if name == "happened_at" else name
            form.add_error(known if known in form.fields else None, found)
        return False
    return True


def act_page(
    request: StaffRequest,
    *,
    form: forms.Form,
    act: Callable[[], object],
    done: str,
    heading: str | Promise,
    back: str | Callable[[], str],
    facts: list[tuple[Any, Any]] | None = None,
    warning: str = "",
    danger: bool = False,
) -> HttpResponse:
    """One page for every act: what it is about, what is typed, what was refused and where."""
    if request.method == "POST" and form.is_valid() and did(request, form, act):
        messages.success(request, done)
        return redirect(back() if callable(back) else back)
    context = {
        "form": form,
        "heading": heading,
        "facts": facts or [],
        "warning": warning,
        "danger": danger,
        "back": back() if callable(back) else back,
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "samples/act.html", context, status=status)
