from __future__ import annotations

from django.apps import AppConfig


class NotifyConfig(AppConfig):
    name = "trialsite.notify"

    def ready(self) -> None:
        from trialsite.notify.channels import register_channel
        from trialsite.notify.mail import MailChannel
        from trialsite.notify.webhook import WebhookChannel, gateway

        register_channel(MailChannel())
        webhook = WebhookChannel()
        register_channel(webhook)
        if webhook.is_on():
            gateway()  # a wrong address is told when the process starts
