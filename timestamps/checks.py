"""What must be true at start."""

from typing import Any

import fsspec
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register
def archive_has_a_driver(**_: Any) -> list[CheckMessage]:
    """An address of an object store needs its package, and that must not turn out when the stream is full."""
    scheme, is_address, _path = settings.ARCHIVE_URL.partition("://")
    if not is_address:
        return []
    try:
        fsspec.get_filesystem_class(scheme)
    except (ValueError, ImportError) as error:
        hint = "Install the driver that fsspec names, such as s3fs for s3://, or set ARCHIVE_URL to a folder."
        return [Error(f"ARCHIVE_URL cannot be used: {error}", hint=hint, id="timestamps.E001")]
    return []
