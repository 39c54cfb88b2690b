"""Publish checks: what a new version must pass before anybody reads it."""

from django.conf import settings

from promotions.models import Version
from promotions.types import ImportTotals

EARLY_STOP_LINES = 100_000


def publish_check_errors(totals: ImportTotals) -> list[str]:
    """Why the import may not be published, in sentences; empty when it may."""
    rows = totals.loaded - totals.duplicate
    checks = (
        accounting_error(totals),
        "" if rows else "The file has no valid row.",
        reject_share_error(totals.rejected, totals.lines),
        shrink_error(rows),
    )
    return [error for error in checks if error]


def accounting_error(totals: ImportTotals) -> str:
    accounted = totals.loaded + totals.rejected + totals.blank
    return "" if accounted == totals.lines else f"Only {accounted:,} of {totals.lines:,} rows are accounted for."


def reject_share_error(rejected: int, lines: int) -> str:
    limit = settings.IMPORT_MAX_REJECT_SHARE
    if rejected <= limit * lines:
        return ""
    return (
        f"{rejected:,} of {lines:,} rows were rejected, which is more than {limit:.0%} (IMPORT_MAX_REJECT_SHARE). "
        "Nothing was published; the rejects tell why."
    )


def early_stop_error(rejected: int, lines: int) -> str:
    """The same while rows are still being loaded, once there are enough of them to tell."""
    return reject_share_error(rejected, lines) if lines >= EARLY_STOP_LINES else ""


def shrink_error(rows: int) -> str:
    limit = settings.IMPORT_MAX_SHRINK_SHARE
    live = Version.objects.filter(retired_at=None).first()
    if live is None or rows >= live.row_count * (1 - limit):
        return ""
    return (
        f"The file has {rows:,} rows and the live version {live.row_count:,}, so it would shrink by more than"
        f" {limit:.0%} (IMPORT_MAX_SHRINK_SHARE). Nothing was published."
    )
