"""People's door: Django looks for it here; each subject of the app has its own."""

from rates.batches import admin as batches_admin
from rates.exchange import admin as exchange_admin
from rates.places import admin as places_admin

__all__ = ["batches_admin", "exchange_admin", "places_admin"]
