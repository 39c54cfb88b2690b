"""Which database holds what: the read store keeps only what readers need."""

from typing import Any

from django.conf import settings
from django.db import models

READ_STORE = "read"


class ReadStoreRouter:
    """Send models marked ``read_store`` to the read store, also for migrations."""

    def db_for_read(self, model: type[models.Model], **_: Any) -> str | None:
        return READ_STORE if _belongs_to_read_store(model) else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool | None:
        """Migrations without a model say where they belong with ``hints={"read_store": ...}``."""
        if not settings.READ_STORE_IS_SEPARATE:
            return None
        if "read_store" in hints:
            return bool(hints["read_store"]) == (db == READ_STORE)
        if model_name is None:
            return None
        model = hints.get("model")
        return model is not None and _belongs_to_read_store(model) == (db == READ_STORE)


def _belongs_to_read_store(model: type[models.Model]) -> bool:
    return bool(getattr(model, "read_store", False))
