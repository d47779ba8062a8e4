"""The delivery log of the copies: what was said of the story was said of them as well.

Only what has come to its end is copied, merged into the digests that the story's people got
that day. What still waits is for the planners, who find copies like anybody else.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, models

from trialsite.demo.bulk.retold import Retold
from trialsite.demo.bulk.statements import batches, insert_into, key_column, told_of
from trialsite.notify.models import FINAL, DeliveryAttempt, Notice

_AT_ONCE = 100


def copy_notices(retold: Retold, copies: Sequence[int]) -> None:
    """Enter the notices that speak of what is copied, and every attempt to deliver them."""
    for model, texts in (
        (Notice, notices_told(retold)),
        (DeliveryAttempt, _attempts_told(retold)),
    ):
        for some in batches(texts, _AT_ONCE):
            told, parameters = told_of([retold.template(text) for text in some], retold, copies)
            with connection.cursor() as cursor:
                cursor.execute(insert_into(model).format(told=told), parameters)


def keys_of_notices(keys: frozenset[str]) -> frozenset[str]:
    """The notices of the story that each copy has its own of."""
    told = Retold(keys)
    found = Notice.objects.filter(state__in=FINAL).values_list("pk", "object_id", "dedupe_key")
    return frozenset(
        str(pk) for pk, about, dedupe_key in found if told.mentions(f"{about} {dedupe_key}")
    )


def notices_told(retold: Retold) -> list[str]:
    """The rows of the notices that are copied, as JSON."""
    return _rows(Notice, key_column(Notice), retold)


def _attempts_told(retold: Retold) -> list[str]:
    return _rows(DeliveryAttempt, "notice_id", retold)


def _rows(model: type[models.Model], column: str, retold: Retold) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT to_jsonb(t)::text FROM public.{model._meta.db_table} t "
            f"WHERE t.{column}::text = ANY (%s) ORDER BY t.{column}, t.id",
            [sorted(retold.keys)],
        )
        return [text for (text,) in cursor.fetchall()]
