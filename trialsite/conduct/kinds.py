"""The rules that propose deviations, by name: an app declares its own when it is imported."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise

from trialsite.conduct.models import Category, Importance


@dataclass(frozen=True, slots=True)
class ProposalKind:
    """A rule that proposes deviations, and what it takes them for until somebody decides."""

    code: str
    title: Promise | str
    category: Category
    importance: Importance


_kinds: dict[str, ProposalKind] = {}


def declare_kind(
    code: str, title: Promise | str, *, category: Category, importance: Importance
) -> ProposalKind:
    """Enter a rule under its code; a code is declared once."""
    if code in _kinds:
        raise TypeError(f"{code} is already declared")
    _kinds[code] = ProposalKind(code, title, category, importance)
    return _kinds[code]


def kind_of(code: str) -> ProposalKind:
    """A declared rule; raises KeyError for a code nobody has declared."""
    return _kinds[code]


def title_of(code: str) -> str:
    """The rule in words; one that is no longer declared keeps its code."""
    found = _kinds.get(code)
    return str(found.title) if found else code
