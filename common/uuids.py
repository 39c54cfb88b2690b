"""A UUID as the doors take it: hyphenated, of any case. ``uuid.UUID`` also takes braces, ``urn:`` and no hyphens."""

import re

HYPHENATED_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
