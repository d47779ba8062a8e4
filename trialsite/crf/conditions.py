"""Conditions of edit checks that look beyond their own row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import BooleanField
from django.db.models.expressions import Expression


class Late(Expression):
    """A condition that is made when it is asked: a form is declared before models are ready.

    Within it, `OuterRef` reaches the columns of the row itself; its relations would join
    a second table to the statement that judges (crf.judging).
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self.make = make

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        return self.make().resolve_expression(*args, **kwargs)
