"""Invite the first study administrator of an empty study, or again one who is locked out."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from trialsite.access.context import system_context
from trialsite.access.services import (
    administrators,
    create_first_administrator,
    invite_administrator_again,
)
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", default=os.environ.get("ADMIN_EMAIL", ""))
        parser.add_argument("--name", default=os.environ.get("ADMIN_NAME", ""))
        parser.add_argument(
            "--language",
            default=os.environ.get("ADMIN_LANGUAGE", "en"),
            choices=[code for code, _name in settings.LANGUAGES],
        )

        parser.add_argument(
            "--again",
            metavar="ADDRESS",
            default="",
            help="An administrator who cannot sign in any more and whom no other one can help.",
        )
        parser.add_argument("--reason", default="", help="With --again: why; it is in the trail.")

    def handle(self, *args: Any, **options: Any) -> None:
        with acting(system_context("create_administrator", Channel.COMMAND)):
            if options["again"]:
                self._invite_again(options["again"], options["reason"])
                return
            existing = administrators().first()
            if existing is not None:
                self.stdout.write(f"This study has an administrator already: {existing.full_name}.")
                self.stdout.write(
                    f"For a new link: create_administrator --again {existing.email} --reason WHY"
                )
                return
            self._create(options)

    def _create(self, options: dict[str, Any]) -> None:
        name, email = options["name"].strip(), options["email"].strip()
        if not name:
            raise CommandError("Give the administrator's name: --name or ADMIN_NAME.")
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError("Give a valid address: --email or ADMIN_EMAIL.") from error
        link = create_first_administrator(email=email, full_name=name, language=options["language"])
        self.stdout.write(f"{name} <{email}> is invited as the study's administrator.")
        self._show(link)

    def _invite_again(self, address: str, reason: str) -> None:
        if not reason.strip():
            raise CommandError("Say why: --reason 'phone and recovery codes lost'.")
        try:
            link = invite_administrator_again(email=address, reason=reason.strip())
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            "Password and second factors are forgotten, open sessions and API tokens end."
        )
        self._show(link)

    def _show(self, link: str) -> None:
        self.stdout.write("The link is valid for seven days and can be used once:")
        self.stdout.write(link)
