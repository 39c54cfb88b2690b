"""What an API key may do: each address needs one of these, and a key has some of them."""

from django.db.models import TextChoices


class KeyScope(TextChoices):
    """As rows, commands and answers name it, with what it is for."""

    READ = "read", "reading, but for generated codes and for who redeemed a voucher"
    PROMOTIONS_WRITE = "promotions:write", "importing files"
    COUNTERS_WRITE = "counters:write", "increments"
    VOUCHERS_REDEEM = "vouchers:redeem", "redeeming vouchers"
    VOUCHERS_ADMIN = "vouchers:admin", "making vouchers, their codes and reports, reversing redemptions"
    WALLET_ADMIN = "wallet:admin", "moving money, also for another deployment whose wallets are here"
    TIMESTAMPS_WRITE = "timestamps:write", "appending timestamps"
    RATES_WRITE = "rates:write", "adding prices"
    OPERATE = "operate", "going back to a version; cancelling imports, generations and batches"


ALL_SCOPES = frozenset(KeyScope)
