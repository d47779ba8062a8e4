"""Screening and enrolment: from first contact to day zero.

`Subject` itself is `trialsite.casebook.models.Subject`; what happens to it before and at
enrolment lives here.
"""

from screening.models import forms as forms
