"""How long ago something was, as metrics and health tell it."""

from datetime import datetime

from django.utils import timezone


def age_seconds(instant: datetime | None) -> float:
    """0 when there is none: nothing waits."""
    return (timezone.now() - instant).total_seconds() if instant else 0.0
