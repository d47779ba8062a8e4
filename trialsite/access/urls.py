from __future__ import annotations

from django.urls import include, path, re_path

from trialsite.access import sign_in
from trialsite.access.views import account, api_tokens, people, report, sites

_own = [
    path("account/profile/", account.profile, name="profile"),
    path("account/language/", account.language, name="language"),
    path("account/unlock/", account.unlock, name="unlock"),
    path("account/invitation/<str:signed>/", account.invitation, name="invitation"),
    path("account/tokens/", api_tokens.tokens, name="api_tokens"),
    path("account/tokens/<int:pk>/revoke/", api_tokens.revoke, name="revoke_api_token"),
    path("account/second-factor/app/replace/", sign_in.replace_totp, name="replace_totp"),
    path("people/", people.people, name="people"),
    path("people/invite/", people.invite, name="invite"),
    path("people/<int:pk>/", people.person, name="person"),
    path("people/<int:pk>/grant/", people.grant, name="grant"),
    path("people/<int:pk>/training/", people.training, name="training"),
    path("people/<int:pk>/deactivate/", people.deactivate, name="deactivate"),
    path("people/<int:pk>/reactivate/", people.reactivate, name="reactivate"),
    path("people/<int:pk>/invite-again/", people.invite_again, name="invite_again"),
    path("people/memberships/<int:pk>/end/", people.end, name="end_membership"),
    path("sites/", sites.sites, name="sites"),
    path("sites/add/", sites.add, name="add_site"),
    path("sites/<int:pk>/", sites.change, name="change_site"),
    path("access-report/", report.report, name="report"),
    path("access-report/delegation/", report.delegation, name="delegation"),
    path("access-report/training/", report.trainings, name="trainings"),
]

#: allauth reverses these names, so they stand outside a namespace.
urlpatterns = [
    path("", include((_own, "access"))),
    path("account/login/", sign_in.login, name="account_login"),
    path("account/logout/", sign_in.logout, name="account_logout"),
    path("account/reauthenticate/", sign_in.reauthenticate, name="account_reauthenticate"),
    path("account/password/", sign_in.change_password, name="account_change_password"),
    path("account/reset/", sign_in.reset, name="account_reset_password"),
    path("account/reset/sent/", sign_in.reset_sent, name="account_reset_password_done"),
    re_path(
        r"^account/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        sign_in.reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("account/reset/done/", sign_in.reset_done, name="account_reset_password_from_key_done"),
    path("account/second-factor/", sign_in.factors, name="mfa_index"),
    path("account/second-factor/code/", sign_in.second_factor, name="mfa_authenticate"),
    path("account/second-factor/again/", sign_in.second_factor_again, name="mfa_reauthenticate"),
    path("account/second-factor/app/", sign_in.activate_totp, name="mfa_activate_totp"),
    path(
        "account/second-factor/app/deactivate/",
        sign_in.deactivate_totp,
        name="mfa_deactivate_totp",
    ),
    path("account/second-factor/recovery/", sign_in.recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "account/second-factor/recovery/generate/",
        sign_in.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path("account/passkeys/", sign_in.passkeys, name="mfa_list_webauthn"),
    path("account/passkeys/add/", sign_in.add_passkey, name="mfa_add_webauthn"),
    path("account/passkeys/again/", sign_in.passkey_again, name="mfa_reauthenticate_webauthn"),
    path("account/passkeys/<int:pk>/", sign_in.edit_passkey, name="mfa_edit_webauthn"),
    path("account/passkeys/<int:pk>/remove/", sign_in.remove_passkey, name="mfa_remove_webauthn"),
]
