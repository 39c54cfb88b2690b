"""Taking imports in."""

from functools import partial
from pathlib import Path

import structlog
from django.db import transaction

from jobs.waking import wake
from promotions.errors import SourceNotFound
from promotions.imports.sources import file_state
from promotions.jobs import IMPORT
from promotions.models import Import


def submit_import(source: str, path: Path, *, is_upload: bool = False) -> Import:
    """Queue a file for import; workers are woken when the row is committed.

    Args:   source: the name to show. path: an existing file that the workers can read. is_upload: the file is ours.
    Raises: SourceNotFound: it is gone meanwhile.
    Source: docs/promotions.md.
    """
    context = structlog.contextvars.get_contextvars()
    try:
        state, size = file_state(path), path.stat().st_size
    except FileNotFoundError as exc:
        raise SourceNotFound(f"There is no file {source!r} any more.") from exc
    with transaction.atomic():
        submitted = Import.objects.create(
            source=source,
            path=str(path),
            file_state=state,
            is_upload=is_upload,
            bytes_total=size,
            correlation_id=context.get("correlation_id") or "",
        )
        transaction.on_commit(partial(wake, IMPORT))
    return submitted
