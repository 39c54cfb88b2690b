"""What must be true of the outbox before this deployment may start; under the ``database`` tag, as the gateway's."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DEFAULT_DB_ALIAS, ProgrammingError

from common.stores.guarded import DATABASE_AWAY
from vouchers.models import OrderState, WalletOrder


@register(Tags.database)
def check_orders_have_a_wallet(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Without WALLET_URL nobody delivers what waits, and fresh redemptions would be credited in other wallets."""
    if DEFAULT_DB_ALIAS not in (databases or ()) or settings.WALLET_URL:
        return []
    try:
        waiting = WalletOrder.objects.filter(state=OrderState.WAITING).count()
    except (ProgrammingError, *DATABASE_AWAY):  # before the first migration; or the gateway's checks say it
        return []
    if not waiting:
        return []
    hint = "Set WALLET_URL and WALLET_API_KEY again until all are answered; `manage.py reconcile` counts them."
    return [Error(f"{waiting:,} wallet orders wait, and WALLET_URL is not set.", hint=hint, id="floodgate.E004")]
