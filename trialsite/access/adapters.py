"""Sign-in with django-allauth, under our rules."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import quote, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.mail import send_mail
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import override

from trialsite.access.lockout import record_failure, record_success, refuse_if_locked_out
from trialsite.access.models import User
from trialsite.core.acts import note_act
from trialsite.core.context import Channel, Context, acting
from trialsite.core.encryption import decrypt, encrypt


def address_of(path: str) -> str:
    """A link for a mail: from BASE_URL, never from the Host header of whoever asks."""
    return f"{settings.BASE_URL.rstrip('/')}{path}"


def _some_context() -> AbstractContextManager[None]:
    """The request's own, or one for mails that allauth sends only after its commit."""
    if connection.in_atomic_block:
        return nullcontext()
    return acting(Context(channel=Channel.UI, system="sign-in mail"))


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """No sign-up; lock-out by account and address; passwords are never known to others."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Redirects stay on this server: no other host is a destination, trusted or not."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        refuse_if_locked_out(credentials.get("email", ""), request)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The active person whose password this is; a deactivated one fails like a stranger."""
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and not user.is_active:
            self.authentication_failed(request, **credentials)
            return None
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        record_failure(credentials.get("email", ""), request)

    def reauthenticate(self, user: User, password: str) -> bool:
        found = self.authenticate(context.request, email=user.email, password=password)
        return found is not None and found.pk == user.pk

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        record_success(user, request)
        if not user.has_second_factor:
            # The password was typed a moment ago: enrolment does not ask for it again.
            record_authentication(request, user, method="password", reauthenticated=True)
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    def logout(self, request: HttpRequest) -> None:
        note_act("signed_out")
        super().logout(request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002
        return reverse("account_login")

    def get_reset_password_from_key_url(self, key: str) -> str:
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return address_of(path.replace("UID-KEY", quote(key)))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A plain text in the person's own language, without anything of the request in it."""
        user = context.get("user")
        with override(user.language if isinstance(user, User) else None):
            values = {**context, "base_url": settings.BASE_URL}
            subject = render_to_string(f"{template_prefix}_subject.txt", values)
            body = render_to_string(f"{template_prefix}_message.txt", values)
        with _some_context():
            send_mail(" ".join(subject.split()), body.strip() + "\n", None, [email])

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,  # noqa: ARG002
    ) -> None:
        """Tell the person of every change to their sign-in; one text serves all of them."""
        values = {**(context or {}), "user": user, "change": template_prefix.rpartition("/")[2]}
        self.send_mail("account/email/changed", user.email, values)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors; their secrets rest encrypted under the field keys."""

    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """The last factor is replaced, never merely removed."""
        others = Authenticator.objects.filter(user=authenticator.user_id)
        others = others.exclude(pk=authenticator.pk)
        return bool(others.exclude(type=Authenticator.Type.RECOVERY_CODES).exists())

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": urlsplit(settings.BASE_URL).hostname or "", "name": "Trialsite"}
