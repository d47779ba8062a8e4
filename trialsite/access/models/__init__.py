"""People, sites, who may do what where, and how people and programs come in."""

from trialsite.access.models.entering import Deactivation, Invitation, SignInAttempt
from trialsite.access.models.people import (
    NEEDS_TRAINING,
    Access,
    Membership,
    MembershipQuerySet,
    Site,
    SiteScopedQuerySet,
    StudyScopedQuerySet,
    Training,
    User,
    UserManager,
    access_of,
    email_key,
    validate_time_zone,
)
from trialsite.access.models.programs import ApiToken, IdempotentAnswer

__all__ = [
    "NEEDS_TRAINING",
    "Access",
    "ApiToken",
    "Deactivation",
    "IdempotentAnswer",
    "Invitation",
    "Membership",
    "MembershipQuerySet",
    "SignInAttempt",
    "Site",
    "SiteScopedQuerySet",
    "StudyScopedQuerySet",
    "Training",
    "User",
    "UserManager",
    "access_of",
    "email_key",
    "validate_time_zone",
]
