"""The coder's pages: what waits, one term with its code, a list from the coding program."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.coding.forms import CodeForm, ListForm, TermFilter, initial_of
from trialsite.crf.coding.importing import COLUMNS, CodingListError, import_codes
from trialsite.crf.coding.services import Code, code_term
from trialsite.crf.coding.terms import Term, history_of, said_terms, term_of, terms_of

PAGE = 50


@requires(Capability.CODE_TERMS)
@require_safe
def worklist(request: StaffRequest) -> HttpResponse:
    """The terms at the person's sites; at first those that wait for a code."""
    narrowing = TermFilter(request.GET or {"state": "open"})
    asked = narrowing.asked()
    rows = terms_of(request.user, state=asked["state"], dictionary=asked["dictionary"])
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "terms": said_terms(page.object_list, request.user),
        "filter": narrowing,
        "asked": asked,
    }
    return render(request, "crf/coding.html", context)


def _term(request: StaffRequest, item: str, row_id: uuid.UUID) -> Term:
    found = term_of(request.user, item, row_id)
    if found is None:
        raise Http404
    return found


@requires(Capability.CODE_TERMS)
@require_http_methods(["GET", "POST"])
def term(request: StaffRequest, item: str, row_id: uuid.UUID) -> HttpResponse:
    """One term: its words, the code, and every code before it."""
    found = _term(request, item, row_id)
    # The code of other words is no proposal for these: nothing stands in the fields then.
    known = found.suggestion or (found.standing if found.state == "coded" else None)
    dictionary = found.item.dictionary
    if request.method == "POST":
        form = CodeForm(request.POST, dictionary=dictionary)
        if form.is_valid() and _coded(request, found, form):
            return redirect("crf:coding")
    else:
        form = CodeForm(dictionary=dictionary, initial=initial_of(known))
    context = {
        "term": found,
        "form": form,
        "dictionary": dictionary,
        "levels": [(level, form[f"{level}_term"], form[f"{level}_code"]) for level in form.levels],
        "history": history_of(found),
    }
    return render(request, "crf/coding_term.html", context, status=422 if form.errors else 200)


def _coded(request: StaffRequest, found: Term, form: CodeForm) -> bool:
    """Whether the code was given; a refusal stands on the form."""
    seen = request.POST.get("verbatim", found.verbatim)
    if seen != found.verbatim:
        form.add_error(
            None, _("The words have been changed meanwhile. Please code what stands now.")
        )
        return False
    try:
        code_term(term=found, code=form.code_of(), by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        form.add_error(None, str(refused))
        return False
    messages.success(request, _("The term is coded."))
    return True


@requires(Capability.CODE_TERMS)
@require_POST
def take_same(request: StaffRequest, item: str, row_id: uuid.UUID) -> HttpResponse:
    """Give a term the code that the same words have elsewhere."""
    found = _term(request, item, row_id)
    suggested = found.suggestion
    if suggested is None or str(suggested.pk) != request.POST.get("coding", ""):
        messages.error(request, _("The code of the same words is another one now."))
        return redirect("crf:coding")
    try:
        code_term(term=found, code=Code.of(suggested), by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
        return redirect("crf:coding")
    messages.success(request, _("The term is coded."))
    return redirect("crf:coding")


@requires(Capability.CODE_TERMS)
@require_http_methods(["GET", "POST"])
def take_list(request: StaffRequest) -> HttpResponse:
    """Codes from the site's own coding program: everything on the list, or nothing."""
    problems: dict[int, str] = {}
    form = ListForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            taken = import_codes(text=form.content(), by=request.user)
        except NotPermittedError:
            raise
        except CodingListError as refused:
            problems = refused.problems
        except DomainError as refused:
            problems = {0: str(refused)}
        else:
            messages.success(request, _words(taken.coded, taken.idle))
            return redirect("crf:coding")
    context: dict[str, Any] = {"form": form, "problems": problems, "columns": COLUMNS}
    status = 422 if problems or form.errors else 200
    return render(request, "crf/coding_list.html", context, status=status)


def _words(coded: int, idle: int) -> str:
    said = ngettext("%(n)d term is coded.", "%(n)d terms are coded.", coded) % {"n": coded}
    if idle:
        said += " " + ngettext(
            "%(n)d line has words that wait nowhere.", "%(n)d lines have words that wait nowhere.",
            idle,
        ) % {"n": idle}  # fmt: skip
    return said
