"""Which database holds what: the read store keeps only what readers need."""

from typing import Any

from django.conf import settings
from django.db import models

READ_STORE = "read"

# By name: in migrations, models are rebuilt from their fields and carry no mark of ours.
READ_STORE_MODELS = frozenset({"promotions.pointer"})


class ReadStoreRouter:
    """Send the read store's models there, also in migrations, and nothing else."""

    def db_for_read(self, model: type[models.Model], **_: Any) -> str | None:
        return READ_STORE if model._meta.label_lower in READ_STORE_MODELS else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **_: Any) -> bool | None:
        if not settings.READ_STORE_IS_SEPARATE:
            return None
        return (f"{app_label}.{model_name}" in READ_STORE_MODELS) == (db == READ_STORE)
