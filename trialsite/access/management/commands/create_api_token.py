"""Make a token for a program that uses the API in a person's name; it is printed once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trialsite.access.api_tokens import create_token
from trialsite.access.capabilities import Role
from trialsite.access.context import system_context
from trialsite.access.models import Site, User, email_key
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the person's address")
        parser.add_argument("--name", required=True, help="what will use the token")
        parser.add_argument("--days", type=int, default=90)
        parser.add_argument("--site", default="", help="code of the only site it may use")
        parser.add_argument("--role", default="", choices=["", *Role.values])
        parser.add_argument("--write", action="store_true", help="it may also write")

    def handle(self, *args: Any, **options: Any) -> None:
        with acting(system_context("create_api_token", Channel.COMMAND)):
            user = User.objects.filter(email=email_key(options["email"]), is_active=True).first()
            if user is None:
                raise CommandError("There is no such active person.")
            site = Site.objects.filter(code=options["site"]).first()
            if options["site"] and site is None:
                raise CommandError("There is no such site.")
            try:
                text, _token = create_token(
                    user=user,
                    name=options["name"],
                    days=options["days"],
                    read_only=not options["write"],
                    site=site,
                    role=Role(options["role"]) if options["role"] else None,
                )
            except DomainError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(text)
