"""Print the demonstration's accounts: address, password, second factor."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from trialsite.demo.people import PEOPLE, code_now, password, totp_secret


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is no demonstration: DEMO is not set.")
        self.stdout.write(f"Demonstration sign-ins (SYNTHETIC). Password of all: {password()}")
        self.stdout.write("Second factor: type the secret into an authenticator app, or run")
        self.stdout.write("`make signins` for the codes of this moment.\n")
        width = max(len(person.email) for person in PEOPLE)
        for person in PEOPLE:
            self.stdout.write(
                f"  {person.email:<{width}}  {code_now(person)}  {totp_secret(person)}  "
                f"{person.role.label}{f', site {person.site}' if person.site else ''}"
            )
