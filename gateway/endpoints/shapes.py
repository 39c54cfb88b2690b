"""Requests in the API's description, from the shapes by which they are read."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from common.text.fields import Field, Shape

Described = type[serializers.Serializer[None]]


def described(name: str, shape: Shape, example: Mapping[str, Any] | None = None) -> Described:
    """A serializer that describes what ``read_fields`` takes of ``shape``; it reads nothing itself.

    Args: name: of the schema, and of nothing else. example: a body that is taken as it stands.
    """
    fields = {field_name: _field(field) for field_name, field in shape.items()}
    made: Described = type(f"{name}Serializer", (serializers.Serializer,), fields)
    examples = [OpenApiExample("One", example, request_only=True)] if example else []
    return extend_schema_serializer(examples=examples)(made)


def _field(field: Field) -> serializers.Field[Any, Any, Any, Any]:
    class Documented(serializers.Field[Any, Any, Any, Any]):
        pass

    schema = dict(field.kind.schema) | ({"description": field.says} if field.says else {})
    extended: type[serializers.Field[Any, Any, Any, Any]] = extend_schema_field(schema)(Documented)
    if field.is_required or field.default is None or field.default is False or field.default in ((), ""):
        return extended(required=field.is_required)
    return extended(default=field.default)
