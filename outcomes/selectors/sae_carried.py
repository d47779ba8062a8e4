"""What a report says that left on paper before it could be signed here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A paper that left: when, and the facts it carried."""

    sent_at: dt.datetime
    kept_at: dt.datetime
    grave: bool
    suspected: bool
    taken_back: str
    #: Nothing has changed since it left: what is recorded now is what was known then.
    whole: bool


def carried(paper: Paper) -> dict[str, Any]:
    """The codes as the paper had them; of what became known since it says nothing."""
    facts: dict[str, Any] = {
        "grave": paper.grave,
        "suspected": paper.suspected,
        "taken_back": paper.taken_back,
        "paper_sent_at": paper.sent_at.isoformat(),
    }
    if not paper.whole:
        facts |= {"criteria": [], "expedited": "", "expedited_confirmed": "", "results": []}
    return facts


def said_of_paper(
    paper: Paper, moment: Callable[[dt.datetime], str]
) -> tuple[str, list[list[str]]]:
    """Title and lines of the section about the paper."""
    rows = [
        [_("Sent on paper"), moment(paper.sent_at)],
        [_("Kept here"), moment(paper.kept_at)],
        [_("It says: fatal or life-threatening"), _("Yes") if paper.grave else _("No")],
        [_("It says: suspected of the treatment"), _("Yes") if paper.suspected else _("No")],
    ]
    if not paper.whole:
        rows.append([
            _("What else it says"),
            _("Stands on the paper, which is kept beside this report. What became known after "
              "it left is told by a further report."),
        ])  # fmt: skip
    return _("Report sent on paper"), rows
