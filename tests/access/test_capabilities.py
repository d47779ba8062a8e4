"""Roles and their limits, against a second table written by hand."""

from __future__ import annotations

import itertools

import pytest

from tests.factories import make_site, make_user
from trialsite.access.capabilities import GRANTS, Capability, Role, are_incompatible
from trialsite.access.models import User

C, R = Capability, Role

#: What must never be, whatever the table says: role -> capabilities.
NEVER: dict[Role, set[Capability]] = {
    R.RESEARCH_NURSE: {C.SIGN_FORM, C.SIGN_CASEBOOK, C.VERIFY_SOURCE, C.CLOSE_QUERY, C.LOCK,
                       C.UNLOCK, C.EXPORT, C.CONFIGURE_STUDY, C.MANAGE_PEOPLE, C.RAISE_QUERY},
    R.SUB_INVESTIGATOR: {C.SIGN_CASEBOOK, C.LOCK, C.UNLOCK, C.CONFIGURE_STUDY, C.VERIFY_SOURCE,
                         C.MANAGE_PEOPLE, C.CLOSE_QUERY},
    R.PRINCIPAL_INVESTIGATOR: {C.LOCK, C.VERIFY_SOURCE, C.CLOSE_QUERY, C.MANAGE_PEOPLE},
    R.DATA_MANAGER: {C.ENTER_DATA, C.ADD_SUBJECT, C.ANSWER_QUERY, C.SIGN_FORM, C.SIGN_CASEBOOK,
                     C.CONFIGURE_STUDY, C.MANAGE_PEOPLE, C.VIEW_IDENTITY, C.SCREEN, C.HOLD},
    R.MONITOR: {C.REPORT_SAE, C.MANAGE_SAFETY,
                C.VIEW_IDENTITY, C.SCREEN, C.MANAGE_LABS, C.HOLD, C.ENTER_DATA, C.ADD_SUBJECT,
                C.ANSWER_QUERY, C.SIGN_FORM, C.SIGN_CASEBOOK, C.LOCK, C.UNLOCK, C.CONFIGURE_STUDY,
                C.MANAGE_PEOPLE, C.EXPORT},
    R.SAFETY_OFFICER: {C.REPORT_SAE,
                       C.ENTER_DATA, C.ADD_SUBJECT, C.SIGN_FORM, C.SIGN_CASEBOOK, C.LOCK,
                       C.UNLOCK, C.MANAGE_PEOPLE},
    R.SAMPLE_TECHNICIAN: {C.ENTER_DATA, C.ADD_SUBJECT, C.SIGN_FORM, C.SIGN_CASEBOOK, C.EXPORT,
                          C.MANAGE_PEOPLE},
    R.AUDITOR: set(C) - {C.VIEW_OVERVIEW, C.VIEW_CASEBOOK, C.VIEW_SCREENING, C.VIEW_TRAIL,
                         C.VIEW_ACCESS_REPORT, C.VIEW_NOTICES, C.VIEW_SAFETY},
    R.SITE_RECRUITER: set(C) - {C.VIEW_SCREENING, C.SCREEN, C.VIEW_IDENTITY},
    R.STUDY_ADMINISTRATOR: set(C) - {C.MANAGE_PEOPLE, C.VIEW_ACCESS_REPORT, C.VIEW_NOTICES,
                                     C.MANAGE_NOTICES},
    R.SPONSOR: set(C) - {C.VIEW_OVERVIEW},
}  # fmt: skip

#: Who alone may do the weightiest things.
ONLY = {
    C.SIGN_CASEBOOK: {R.PRINCIPAL_INVESTIGATOR},
    C.CONFIGURE_STUDY: {R.PRINCIPAL_INVESTIGATOR},
    C.VERIFY_SOURCE: {R.MONITOR},
    C.LOCK: {R.DATA_MANAGER},
    C.UNLOCK: {R.DATA_MANAGER, R.PRINCIPAL_INVESTIGATOR},
    C.MANAGE_PEOPLE: {R.STUDY_ADMINISTRATOR},
    C.ENTER_DATA: {R.RESEARCH_NURSE, R.SUB_INVESTIGATOR, R.PRINCIPAL_INVESTIGATOR},
    C.SIGN_FORM: {R.SUB_INVESTIGATOR, R.PRINCIPAL_INVESTIGATOR},
    C.MANAGE_LABS: {R.DATA_MANAGER},
    C.CODE_TERMS: {R.DATA_MANAGER},
    C.TRY_CRITERIA: {R.DATA_MANAGER, R.PRINCIPAL_INVESTIGATOR},
    C.MANAGE_PRODUCT: {
        R.RESEARCH_NURSE,
        R.SUB_INVESTIGATOR,
        R.PRINCIPAL_INVESTIGATOR,
        R.SAMPLE_TECHNICIAN,
    },
    C.REPORT_SAE: {R.RESEARCH_NURSE, R.SUB_INVESTIGATOR, R.PRINCIPAL_INVESTIGATOR},
    C.MANAGE_SAFETY: {R.SAFETY_OFFICER},
    C.HOLD: {R.PRINCIPAL_INVESTIGATOR, R.SAFETY_OFFICER},
    C.VIEW_IDENTITY: {
        R.RESEARCH_NURSE,
        R.SUB_INVESTIGATOR,
        R.PRINCIPAL_INVESTIGATOR,
        R.SITE_RECRUITER,
    },
}


@pytest.mark.requirement("IA4", "ES5", "QS3")
def test_no_role_is_granted_what_it_must_never_have():
    assert set(NEVER) == set(Role)
    for role, never in NEVER.items():
        assert not GRANTS[role] & never, role


@pytest.mark.requirement("IA4", "ES5")
@pytest.mark.parametrize(("capability", "roles"), ONLY.items())
def test_the_weightiest_acts_belong_to_few(capability, roles):
    assert {role for role in Role if capability in GRANTS[role]} == roles


@pytest.mark.requirement("IA4")
@pytest.mark.parametrize("role", list(Role))
def test_a_person_can_what_their_role_can_at_their_site_and_nothing_elsewhere(db, role):
    here, there = make_site(), make_site()
    user = User.objects.get(pk=make_user(role, here).pk)
    for capability in Capability:
        granted = capability in GRANTS[role]
        assert user.can(capability, site=here) is granted
        assert not user.can(capability, site=there)
        assert not user.access.study_wide(capability)


@pytest.mark.requirement("AV5")
def test_nobody_enters_data_before_their_training_is_recorded(db):
    site = make_site()
    novice = make_user(Role.RESEARCH_NURSE, site, trained=False)
    assert not novice.can(Capability.ENTER_DATA, site=site)
    assert not novice.can(Capability.ADD_SUBJECT)
    assert novice.can(Capability.VIEW_CASEBOOK, site=site)


@pytest.mark.requirement("AV5")
def test_the_rule_about_training_can_be_switched_off(db, settings):
    settings.TRAINING_REQUIRED = False
    site = make_site()
    assert make_user(Role.RESEARCH_NURSE, site, trained=False).can(Capability.ENTER_DATA, site=site)


@pytest.mark.requirement("IA4")
def test_nobody_oversees_what_they_enter():
    entering = {
        R.RESEARCH_NURSE,
        R.SUB_INVESTIGATOR,
        R.PRINCIPAL_INVESTIGATOR,
        R.SAMPLE_TECHNICIAN,
    }
    overseeing = {R.DATA_MANAGER, R.MONITOR, R.AUDITOR, R.STUDY_ADMINISTRATOR, R.SPONSOR}
    for one, other in itertools.product(entering, overseeing):
        assert are_incompatible(one, other)
        assert are_incompatible(other, one)
    assert are_incompatible(R.STUDY_ADMINISTRATOR, R.DATA_MANAGER)
    assert not are_incompatible(R.RESEARCH_NURSE, R.SAMPLE_TECHNICIAN)
