"""Readiness: how far another deployment's wallet is behind the redemptions made here."""

from django.conf import settings
from django.db.models import Min

from common.ages import age_seconds
from vouchers.errors import WalletIsBehind, WalletOrdersStranded
from vouchers.models import OrderState, Redemption, RedemptionState, WalletOrder

BEHIND_SECONDS = 60.0  # a delivery takes a second, and the longest pause between attempts is 15 s


def wallet_lag_seconds() -> float:
    """Age of the oldest redemption that the wallet has not credited.

    Raises: WalletIsBehind: it is too old; WalletOrdersStranded: nobody delivers it or any other order.
    """
    if not settings.WALLET_URL and WalletOrder.objects.filter(state=OrderState.WAITING).exists():
        raise WalletOrdersStranded
    pending = Redemption.objects.filter(state=RedemptionState.PENDING, reversed_at=None)
    oldest = pending.aggregate(oldest=Min("created_at"))["oldest"]
    lag_seconds = age_seconds(oldest)
    if lag_seconds > BEHIND_SECONDS:
        raise WalletIsBehind
    return round(lag_seconds, 1)
