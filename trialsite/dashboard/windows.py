"""The windows of visits, as the pages that gather over all apps name them."""

from __future__ import annotations

from trialsite.casebook.windows import COMING_DAYS, STANDING, WIDTH, Bar, Lane, Window

__all__ = ["COMING_DAYS", "STANDING", "WIDTH", "Bar", "Lane", "Window"]
