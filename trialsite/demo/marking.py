"""Whatever leaves a demonstration says that it is one, whoever made it.

Pages, PDFs and mails print it; here every answer says it in its head, and a file by its
name, so that a table of numbers that somebody saves is still known for what it is.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseBase

MARK = "SYNTHETIC"
HEADER = "X-Trialsite-Data"
_NAME = 'filename="'
_NAME_IN_UTF8 = "filename*=utf-8''"


class SyntheticAnswers:
    """Marks every answer of a demonstration; elsewhere it is not there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.DEMO:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        answer[HEADER] = MARK
        offered = answer.get("Content-Disposition", "")
        for name in (_NAME, _NAME_IN_UTF8):
            offered = offered.replace(name, f"{name}{MARK}-")
        if offered:
            answer["Content-Disposition"] = offered
        return answer
