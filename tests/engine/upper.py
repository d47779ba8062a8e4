"""What an app above registers: a planner, a dataset, a follower of rows."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from tests.engine.models import Device, Episode, Reading
from trialsite.access.capabilities import Role
from trialsite.access.models import Membership, User
from trialsite.core.exceptions import DomainError
from trialsite.crf.registry import after_save
from trialsite.exports.registry import Column, Dataset, register_datasets
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail, Planner, register_planner


def _plan(now: dt.datetime) -> Any:
    """A word about each device to the nurses of its site."""
    return (
        f"SELECT d.id, d.site_id, m.user_id, %s::timestamptz, d.id::text || ':' || m.user_id "
        f"FROM {Device._meta.db_table} d JOIN {Membership._meta.db_table} m "
        "ON m.site_id = d.site_id AND m.role = %s",
        (now, Role.RESEARCH_NURSE.value),
    )


def _still_due(notices: list[Notice]) -> set[uuid.UUID]:
    ids = [notice.object_id for notice in notices]
    known = set(Device.objects.filter(pk__in=ids).values_list("pk", flat=True))
    return {notice.pk for notice in notices if notice.object_id in known}


def _render(_notice: Notice, user: User) -> Mail:
    return Mail(subject="A device waits", body=f"{user.full_name}, look after it.", path="/")


register_planner(
    Planner(
        kind="test-device",
        title="A device waits",
        plan=_plan,
        still_due=_still_due,
        render=_render,
    )
)


@register_datasets
def devices() -> list[Dataset]:
    return [
        Dataset(
            name="test_devices",
            title="Devices (test)",
            columns=(Column(name="SERIAL", sql="d.serial", label="Serial number"),),
            source=f"{Device._meta.db_table} d",
            site="d.site_id",
            order="d.serial",
        )
    ]


#: What the followers of rows were told: the row, whether it stood, by whom.
FOLLOWED: list[tuple[Any, bool, User]] = []


def _follow(row: Any, by: User) -> None:
    """Keep what one is told; refuse what is said to be refused."""
    FOLLOWED.append((row, row.stands, by))
    if getattr(row, "term", "") == "refuse me":
        raise DomainError("The app above refuses.")


after_save(Episode, _follow)
after_save(Reading, _follow)
