"""Opening a figure of the overview as a reader does, and counting what the list shows."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from django.test import Client

OVERVIEW = "/overview/"
#: Each number of the page: its figure, its part, its site, and what it shows.
_NUMBER = re.compile(
    r'<(?:a class="num" href="([^"]*)"|span class="num[^"]*") '
    r'data-figure="(\w+)" data-part="([^"]*)" data-site="([^"]*)">(\d+)</(?:a|span)>'
)
#: On each page that a figure opens to: how many rows it lists.
LISTS: dict[str, Any] = {
    "dashboard:overview_rows": lambda context: context["page"].paginator.count,
    "dashboard:compliance_visits": lambda context: context["page"].paginator.count,
    "outcomes:endpoint_subjects": lambda context: len(context["group"].members),
    "outcomes:safety": lambda context: (
        context["page"].paginator.count
        + (len(context["deaths"]) if context["look"] in ("overdue", "running") else 0)
    ),
}


def numbers_on(client: Client, path: str = OVERVIEW) -> list[tuple[str, str, str, str, int]]:
    """(address, figure, part, site, count) of every number on the page."""
    answer = client.get(path)
    assert answer.status_code == 200
    found = _NUMBER.findall(answer.content.decode())
    return [
        (unescape(href), figure, unescape(part), site, int(count))
        for href, figure, part, site, count in found
    ]


def rows_behind(client: Client, address: str) -> int:
    """How many rows the list behind a figure has; the rows of a page without others are there."""
    answer = client.get(address)
    assert answer.status_code == 200, address
    name = answer.resolver_match.view_name
    count = LISTS[name](answer.context)
    shown = answer.content.decode().count("<tr data-row>")
    if name == "dashboard:overview_rows":
        assert shown == min(count, 50)
    return int(count)
