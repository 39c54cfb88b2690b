"""A UUID as the doors take it: hyphenated, of any case. ``uuid.UUID`` also takes braces, ``urn:`` and no hyphens."""

import re
from uuid import UUID

from common.errors import FieldError, InvalidInput

HYPHENATED_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
EXAMPLE_UUID = "d018ef0b-dbd9-48f1-ac1a-eb4d90e57118"


def parse_uuid(text: str, field: str) -> UUID:
    """Raises InvalidInput, naming ``field``."""
    if not HYPHENATED_UUID.fullmatch(text):
        raise InvalidInput(FieldError(field, f"Must be a hyphenated UUID like {EXAMPLE_UUID}, without braces."))
    return UUID(text)
