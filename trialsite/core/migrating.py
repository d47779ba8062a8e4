"""Migrating without making every model anew at every step.

Django keeps a picture of the models as of each migration, and renders every model that is
related to a changed one again. Nearly all of ours are related, so that an empty database took
some twenty thousand renderings. What is created, and what only adds a rule of PostgreSQL's,
changes nothing of the models rendered before it.
"""

from __future__ import annotations

from typing import Any

from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import Index
from django.db.models.constraints import BaseConstraint


class QuickState(ProjectState):
    """The picture of the models; new models and rules leave the others as they are rendered."""

    @classmethod
    def of(cls, state: ProjectState) -> QuickState:
        """The same picture, to go on from quickly."""
        quick = cls(models=state.models, real_apps=state.real_apps)
        quick.__dict__.update(state.__dict__)
        return quick

    def clone(self) -> QuickState:
        return self.of(super().clone())

    def add_model(self, model_state: ModelState) -> None:
        key = model_state.app_label, model_state.name_lower
        if "apps" not in self.__dict__ or key in self.models:
            super().add_model(model_state)
            return
        self.models[key] = model_state
        self._relations = None
        self.apps.render_multiple([model_state])

    def add_constraint(self, app_label: str, model_name: str, constraint: BaseConstraint) -> None:
        self._add(app_label, model_name, "constraints", constraint)

    def add_index(self, app_label: str, model_name: str, index: Index) -> None:
        self._add(app_label, model_name, "indexes", index)

    def _add(self, app_label: str, model_name: str, option: str, rule: Any) -> None:
        options = self.models[app_label, model_name].options
        options[option] = [*options[option], rule]
        if "apps" in self.__dict__:
            # A later change of the table asks the rendered model for its rules.
            rendered = self.apps.get_model(app_label, model_name)._meta
            setattr(rendered, option, [*getattr(rendered, option), rule])


class QuickExecutor(MigrationExecutor):
    """Applies migrations as Django does, from the quick picture."""

    def _create_project_state(self, *args: Any, **kwargs: Any) -> ProjectState:
        made = super()._create_project_state(*args, **kwargs)  # type: ignore[misc]
        return QuickState.of(made)
