"""The API, gathered from the apps; each app's own module says what it offers."""

from __future__ import annotations

from django.urls import path

from outcomes.api import routes as outcomes
from samples.api import routes as samples
from screening.api import routes as screening
from trialsite.api.schema import Schema
from trialsite.casebook.api import routes as casebook
from trialsite.conduct.api import routes as conduct
from trialsite.crf.api import routes as data
from trialsite.crf.catalogue import routes as definitions
from trialsite.crf.codebook import routes as codebook
from trialsite.crf.coding.api import routes as coding
from trialsite.crf.odm import routes as odm
from trialsite.crf.trail_api import routes as trail
from trialsite.dashboard.compliance_api import routes as compliance
from trialsite.dashboard.overview.api import routes as overview
from trialsite.exports.api import routes as datasets
from trialsite.exports.package_api import routes as packages
from trialsite.labs.api import routes as labs
from trialsite.labs.import_api import routes as lab_imports
from trialsite.labs.result_api import routes as lab_results
from trialsite.notify.api import routes as notify
from trialsite.review.api import routes as review
from visits.api import routes as visits

urlpatterns = [
    path("schema/", Schema.as_view()),
    *casebook,
    *definitions,
    *data,
    *review,
    *datasets,
    *packages,
    *codebook,
    *coding,
    *odm,
    *trail,
    *labs,
    *lab_imports,
    *lab_results,
    *conduct,
    *screening,
    *visits,
    *outcomes,
    *samples,
    *compliance,
    *overview,
    *notify,
]
