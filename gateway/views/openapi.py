"""What OpenAPI says of all operations alike: whose they are, and how they refuse."""

from typing import Any, cast

from django.conf import settings
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from gateway.keys.scopes import KeyScope
from gateway.views.strictview import StrictView

CONDITIONAL = (
    OpenApiParameter("If-None-Match", location="header", description="An ETag that the client has, or several."),
    OpenApiParameter("ETag", location="header", response=[200, 304], description="Of the data and the form."),
    OpenApiParameter("X-Data-Version", OpenApiTypes.INT, "header", response=[200, 304], description="Grows."),
)
NOT_MODIFIED = {304: OpenApiResponse(description="If-None-Match names the answer that would come.")}

PROBLEM = {
    "type": "object",
    "description": "RFC 9457.",
    "properties": {
        "type": {"type": "string", "format": "uri", "example": "urn:floodgate:problem:invalid-input"},
        "title": {"type": "string", "description": "Of the status."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, for people."},
        "code": {"type": "string", "description": "The kind of problem, for programs.", "example": "invalid-input"},
        "correlation_id": {"type": "string", "format": "uuid", "description": "Finds the request in the logs."},
        "errors": {
            "type": "array",
            "description": "Of wrong input only: each field that is wrong.",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["field", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "correlation_id"],
}
KEYS = "An API key, with one or more of these scopes:\n\n" + "\n".join(
    f"- `{scope.value}`: {scope.label}" for scope in KeyScope
)
CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
COMMON = {
    "400": "The request is wrong; `errors` names each field.",
    "401": "The API key is missing or not valid.",
    "403": "The API key lacks the scope that `scope` names.",
    "429": "Too many requests; Retry-After says when to come again.",
    "503": "A store does not answer, or too much waits. Unknown whether it happened: repeat with the same key.",
    "default": "Any other refusal; `code` says which.",
}
OF_ADDRESSES = {"404": "There is no such thing."}
OF_KEYS = {
    "409": "The first request with this Idempotency-Key is still running, or the state of things does not allow it.",
    "422": "This Idempotency-Key was used for another request, or the state of things does not allow it.",
}


class AppSchema(AutoSchema):
    """Operations are grouped by app, and name the scope that an API key needs."""

    def get_tags(self) -> list[str]:
        return [self.view.__module__.partition(".")[0]]

    def get_auth(self) -> list[dict[str, list[str]]]:
        view = cast(StrictView, self.view)
        needed = [{"apiKey": [view.scopes[self.method.lower()].value]}]
        return needed if settings.API_KEYS_REQUIRED else [*needed, {}]


def describe_refusals(result: Any, generator: Any, request: Any, public: bool) -> Any:
    """Hook of drf-spectacular: one schema of problems, and the refusals that an operation does not describe itself.

    Of those that it does, a sentence is enough: their content is a problem too.
    """
    components = result["components"]
    components["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer", "description": KEYS}}
    components["schemas"]["Problem"] = PROBLEM
    components["responses"] = {
        f"Problem-{status}": {"description": sentence, "content": CONTENT}
        for status, sentence in (COMMON | OF_ADDRESSES | OF_KEYS).items()
    }
    for operation in (operation for path in result["paths"].values() for operation in path.values()):
        operation["description"] += f"\n\nScope: `{operation['security'][0]['apiKey'][0]}`."
        for status in _refusals(operation):
            operation["responses"].setdefault(status, {"$ref": f"#/components/responses/Problem-{status}"})
        for status, response in operation["responses"].items():
            if status >= "400" and "$ref" not in response:
                response.setdefault("content", CONTENT)
    return result


def _refusals(operation: Any) -> dict[str, str]:
    parameters = {(parameter["in"], parameter["name"]) for parameter in operation.get("parameters", ())}
    found = dict(COMMON)
    if any(place == "path" for place, _ in parameters):
        found |= OF_ADDRESSES
    if ("header", "Idempotency-Key") in parameters:
        found |= OF_KEYS
    return found
