"""Lines of the log that can be found again by what a person reads out from an error page."""

from __future__ import annotations

import logging


class RequestNumber(logging.Filter):
    """Puts the request's number, which every error page shows, at the end of its line."""

    def filter(self, record: logging.LogRecord) -> bool:
        number = getattr(getattr(record, "request", None), "request_id", None)
        record.request_number = f" request {number}" if number else ""
        return True
