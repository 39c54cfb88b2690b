"""People's door: Django looks for it here; each subject of the app has its own."""

from rates.exchange import admin as exchange_admin

__all__ = ["exchange_admin"]
