"""Migrating quickly: the same database, without making every model anew at each step."""

from __future__ import annotations

from django.apps import apps
from django.db import connection, models
from django.db.migrations.state import ModelState, ProjectState

from trialsite.casebook.models import Visit
from trialsite.core.migrating import QuickState


def picture() -> QuickState:
    """All models as a migration sees them, rendered."""
    state = QuickState.of(ProjectState.from_apps(apps))
    assert state.apps
    return state


def test_every_rule_of_every_model_stands_in_the_database(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint UNION SELECT indexname FROM pg_indexes "
            "WHERE schemaname = 'public'"
        )
        there = {name for (name,) in cursor.fetchall()}
    kept = [model for model in apps.get_models() if model._meta.managed]
    asked = {
        rule.name for model in kept for rule in (*model._meta.constraints, *model._meta.indexes)
    }
    assert len(asked) > 300
    assert asked <= there


def test_a_new_rule_leaves_the_other_models_as_they_are():
    state = picture()
    before = state.apps.get_model("casebook", "Subject")
    rule = models.CheckConstraint(condition=models.Q(repeat_key__lt=100), name="few")
    state.add_constraint("casebook", "visit", rule)
    assert state.apps.get_model("casebook", "Subject") is before
    for known in (state, state.clone()):
        assert rule in known.models["casebook", "visit"].options["constraints"]
        assert rule in known.apps.get_model("casebook", "Visit")._meta.constraints
    assert rule not in Visit._meta.constraints


def test_a_new_model_is_rendered_with_its_relations_and_nothing_else_is():
    state = picture()
    before = state.apps.get_model("casebook", "Subject")
    note = ModelState(
        "casebook",
        "Note",
        [
            ("id", models.AutoField(primary_key=True)),
            ("subject", models.ForeignKey("casebook.Subject", models.PROTECT)),
        ],
    )
    state.add_model(note)
    assert state.apps.get_model("casebook", "Subject") is before
    made = state.apps.get_model("casebook", "Note")
    assert made._meta.get_field("subject").related_model is before
    assert made in [each.related_model for each in before._meta.related_objects]
    assert ("casebook", "note") in state.relations["casebook", "subject"]
