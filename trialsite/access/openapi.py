"""What the schema says about every endpoint: filters, headers that writing needs, problems."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details, in the reader's language.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "What is wrong, by item or field.",
            "additionalProperties": {},
        },
        "current": {
            "type": "object",
            "description": "412 only: what stands now, by item.",
            "additionalProperties": {},
        },
        "version": {"type": "integer", "description": "412 only: the version that stands now."},
    },
    "required": ["type", "title", "status"],
}


class EndpointSchema(AutoSchema):
    """Parameters follow from the endpoint itself, so that none is said twice."""

    def get_override_parameters(self) -> list[Any]:
        found: list[Any] = []
        if getattr(self.view, "action", "") == "list":
            for name, each in getattr(self.view, "filters", {}).items():
                found.append(OpenApiParameter(name, each.kind, enum=each.choices or None))
        if self.method == "POST":
            description = "A key of the client's own; the same request again is answered, not done."
            found.append(_header("Idempotency-Key", description))
        if self.method == "PUT" or getattr(self.view, "matches", False):
            found.append(_header("If-Match", 'The version that was read, such as "3".'))
        return found


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, str, OpenApiParameter.HEADER, required=True, description=description
    )


def problems(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Every operation answers errors in the same form."""
    result["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"description": "Refused", "content": content}
    return result
