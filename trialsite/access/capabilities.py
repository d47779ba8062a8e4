"""Who may do what. Read it as the delegation log of ICH E6: a capability that is not
listed for a role is refused."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    RESEARCH_NURSE = "research_nurse", _("Research nurse")
    PRINCIPAL_INVESTIGATOR = "principal_investigator", _("Principal investigator")
    SUB_INVESTIGATOR = "sub_investigator", _("Sub-investigator")
    DATA_MANAGER = "data_manager", _("Data manager")
    MONITOR = "monitor", _("Monitor")
    SAFETY_OFFICER = "safety_officer", _("Safety officer")
    SAMPLE_TECHNICIAN = "sample_technician", _("Sample technician")
    AUDITOR = "auditor", _("Auditor")
    SITE_RECRUITER = "site_recruiter", _("Site recruiter")
    STUDY_ADMINISTRATOR = "study_administrator", _("Study administrator")
    SPONSOR = "sponsor", _("Sponsor")


class Capability(models.TextChoices):
    VIEW_CASEBOOK = "view_casebook", _("See casebooks")
    VIEW_OVERVIEW = "view_overview", _("See the study's figures")
    VIEW_SCREENING = "view_screening", _("See the screening log")
    SCREEN = "screen", _("Keep the screening log")
    VIEW_IDENTITY = "view_identity", _("See identifiers")
    ENTER_DATA = "enter_data", _("Enter data")
    ADD_SUBJECT = "add_subject", _("Add subjects")
    VIEW_TRAIL = "view_trail", _("Read the audit trail")
    RAISE_QUERY = "raise_query", _("Raise queries")
    ANSWER_QUERY = "answer_query", _("Answer queries")
    CLOSE_QUERY = "close_query", _("Close queries")
    VERIFY_SOURCE = "verify_source", _("Verify source data")
    SIGN_FORM = "sign_form", _("Sign forms")
    SIGN_CASEBOOK = "sign_casebook", _("Sign casebooks")
    LOCK = "lock", _("Lock data")
    UNLOCK = "unlock", _("Unlock data")
    CODE_TERMS = "code_terms", _("Code terms")
    EXPORT = "export", _("Export datasets")
    TRY_CRITERIA = "try_criteria", _("Try the criteria on a file")
    MANAGE_LABS = "manage_labs", _("Keep laboratories and ranges")
    MANAGE_PRODUCT = "manage_product", _("Keep the cell product")
    HANDLE_SAMPLES = "handle_samples", _("Collect and handle samples")
    MANAGE_STORAGE = "manage_storage", _("Keep freezers and boxes")
    SHIP_SAMPLES = "ship_samples", _("Ship samples")
    HOLD = "hold", _("Hold enrolment and treatment")
    REPORT_SAE = "report_sae", _("Report serious adverse events")
    VIEW_SAFETY = "view_safety", _("See the reporting of serious adverse events")
    MANAGE_SAFETY = "manage_safety", _("Oversee safety reporting for the sponsor")
    CONFIGURE_STUDY = "configure_study", _("Confirm study configuration")
    VIEW_NOTICES = "view_notices", _("See what reminders were sent")
    MANAGE_NOTICES = "manage_notices", _("Send reminders again or cancel them")
    MANAGE_PEOPLE = "manage_people", _("Manage people and sites")
    VIEW_ACCESS_REPORT = "view_access_report", _("See who has access")


_C = Capability
_RECRUITING = {_C.VIEW_SCREENING, _C.SCREEN, _C.VIEW_IDENTITY}
_SITE_STAFF = _RECRUITING | {
    _C.VIEW_OVERVIEW,
    _C.VIEW_CASEBOOK,
    _C.ENTER_DATA,
    _C.ADD_SUBJECT,
    _C.VIEW_TRAIL,
    _C.ANSWER_QUERY,
    _C.MANAGE_PRODUCT,
    _C.REPORT_SAE,
    _C.VIEW_SAFETY,
    _C.HANDLE_SAMPLES,
}

GRANTS: dict[Role, frozenset[Capability]] = {
    Role.RESEARCH_NURSE: frozenset(_SITE_STAFF),
    Role.SUB_INVESTIGATOR: frozenset(_SITE_STAFF | {_C.SIGN_FORM}),
    Role.PRINCIPAL_INVESTIGATOR: frozenset(
        _SITE_STAFF
        | {
            _C.SIGN_FORM,
            _C.SIGN_CASEBOOK,
            _C.UNLOCK,
            _C.HOLD,
            _C.CONFIGURE_STUDY,
            _C.TRY_CRITERIA,
            _C.VIEW_ACCESS_REPORT,
            _C.VIEW_NOTICES,
            _C.MANAGE_NOTICES,
        }
    ),
    Role.DATA_MANAGER: frozenset(
        {
            _C.VIEW_OVERVIEW,
            _C.VIEW_CASEBOOK,
            _C.VIEW_SCREENING,
            _C.VIEW_SAFETY,
            _C.MANAGE_LABS,
            _C.VIEW_TRAIL,
            _C.RAISE_QUERY,
            _C.CLOSE_QUERY,
            _C.LOCK,
            _C.UNLOCK,
            _C.CODE_TERMS,
            _C.EXPORT,
            _C.TRY_CRITERIA,
            _C.VIEW_ACCESS_REPORT,
            _C.VIEW_NOTICES,
            _C.MANAGE_NOTICES,
        }
    ),
    Role.MONITOR: frozenset(
        {
            _C.VIEW_OVERVIEW,
            _C.VIEW_CASEBOOK,
            _C.VIEW_SCREENING,
            _C.VIEW_SAFETY,
            _C.VIEW_TRAIL,
            _C.RAISE_QUERY,
            _C.CLOSE_QUERY,
            _C.VERIFY_SOURCE,
            _C.VIEW_ACCESS_REPORT,
        }
    ),
    Role.SAFETY_OFFICER: frozenset(
        {
            _C.VIEW_OVERVIEW,
            _C.VIEW_CASEBOOK,
            _C.VIEW_TRAIL,
            _C.RAISE_QUERY,
            _C.HOLD,
            _C.VIEW_SAFETY,
            _C.MANAGE_SAFETY,
        }
    ),
    Role.SAMPLE_TECHNICIAN: frozenset(
        {
            _C.VIEW_OVERVIEW,
            _C.VIEW_CASEBOOK,
            _C.MANAGE_PRODUCT,
            _C.HANDLE_SAMPLES,
            _C.MANAGE_STORAGE,
            _C.SHIP_SAMPLES,
        }
    ),
    Role.AUDITOR: frozenset(
        {
            _C.VIEW_OVERVIEW,
            _C.VIEW_CASEBOOK,
            _C.VIEW_SCREENING,
            _C.VIEW_SAFETY,
            _C.VIEW_TRAIL,
            _C.VIEW_ACCESS_REPORT,
            _C.VIEW_NOTICES,
        }
    ),
    Role.SITE_RECRUITER: frozenset(_RECRUITING),
    Role.STUDY_ADMINISTRATOR: frozenset(
        {_C.MANAGE_PEOPLE, _C.VIEW_ACCESS_REPORT, _C.VIEW_NOTICES, _C.MANAGE_NOTICES}
    ),
    # Figures, and never who is behind them.
    Role.SPONSOR: frozenset({_C.VIEW_OVERVIEW}),
}


def roles_granting(capability: Capability) -> frozenset[Role]:
    """The roles to which a capability is delegated."""
    return frozenset(role for role, granted in GRANTS.items() if capability in granted)


#: Who looks over the data that others enter.
_OVERSIGHT = frozenset(
    {Role.DATA_MANAGER, Role.MONITOR, Role.AUDITOR, Role.STUDY_ADMINISTRATOR, Role.SPONSOR}
)

#: Who enters what is looked over: participants' data, the accounts of the cell product, samples.
_ENTERING = {
    Capability.ENTER_DATA,
    Capability.MANAGE_PRODUCT,
    Capability.REPORT_SAE,
    Capability.HANDLE_SAMPLES,
}


def are_incompatible(one: Role, other: Role) -> bool:
    """Segregation of duties (EMA 2023 annex 3): nobody oversees what they enter, and who
    hands out rights sees no clinical data."""
    return _conflict(one, other) or _conflict(other, one)


def _conflict(one: Role, other: Role) -> bool:
    if one in _OVERSIGHT and GRANTS[other] & _ENTERING:
        return True
    return one is Role.STUDY_ADMINISTRATOR and Capability.VIEW_CASEBOOK in GRANTS[other]
