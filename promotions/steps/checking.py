"""The publish checks between a complete version and its readers."""

from django.db import transaction

from promotions.errors import Quarantined
from promotions.imports.progress import totals_of
from promotions.imports.rejects import trim_rejects
from promotions.locks import lock_import
from promotions.models import Import, ImportStatus, Version
from promotions.steps.publishchecks import publish_check_errors
from promotions.versions.publishing import publish_import


def check_import(import_: Import) -> bool:
    """Decide about a loaded and indexed import: publish it or keep it away from readers.

    Returns: False when that was decided before and only the delivery is outstanding.
    Raises:  Quarantined: a publish check failed.
    """
    if Version.objects.filter(pk=import_.id).exists():
        return False
    totals = totals_of(import_)
    with transaction.atomic():
        if lock_import(import_.id).status != ImportStatus.CHECKING:
            return True
        trim_rejects(import_.id)
    if errors := publish_check_errors(totals):
        raise Quarantined(" ".join(errors))
    publish_import(import_.id, row_count=totals.loaded - totals.duplicate)
    return True
