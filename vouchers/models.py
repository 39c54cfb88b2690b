"""Vouchers, redemptions and the ledger. Every promise about them is a constraint or a trigger here.

Triggers (migrations/0001_ledger.sql): a transfer can only be added; adding it moves both balances, and nothing else
moves one.
"""

from typing import Any

from django.db import models

LIMIT_MAX = 1_000_000_000
CODE_EXISTS = "voucher_code_is_unique"
ONE_LIVE_REDEMPTION = "one_live_redemption_per_user"
BALANCE_IS_NOT_NEGATIVE = "balance_is_not_negative"

# System accounts of the ledger; users' accounts are their phone numbers. They have no balance row: every redemption of
# every voucher would wait for it.
VOUCHERS_ACCOUNT = "vouchers"
CASH_ACCOUNT = "cash"
USERS_BELOW = "a"  # "+" sorts before the system accounts' names


def _money(**kwargs: Any) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=16, decimal_places=2, **kwargs)


class GenerationStatus(models.TextChoices):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Generation(models.Model):
    """A code batch: many vouchers with random codes; ``made`` moves in the transaction that inserts them.

    ``attempts`` are those in a row that made none, each counted before it began, as a killed worker counts nothing.
    """

    status = models.TextField(
        choices=GenerationStatus.choices, default=GenerationStatus.RUNNING, db_default=GenerationStatus.RUNNING.value
    )
    attempts = models.IntegerField(default=0, db_default=0)
    error = models.TextField(blank=True, default="", db_default="")
    count = models.IntegerField()
    made = models.IntegerField(default=0)
    prefix = models.TextField(blank=True)
    amount = _money()
    limit = models.IntegerField()
    starts_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    correlation_id = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(made__gte=0, made__lte=models.F("count")), name="made_to_order")
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Voucher(models.Model):
    """``redeemed`` is the number of its live redemptions; ``revision`` grows with whatever may free a place."""

    code = models.TextField(db_collation="C")
    amount = _money(help_text="What each redeemer gets.")
    limit = models.IntegerField(help_text="Users who may redeem it.")
    redeemed = models.IntegerField(default=0)
    starts_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revision = models.IntegerField(default=1)
    generation = models.ForeignKey(Generation, models.PROTECT, null=True, db_index=False, related_name="vouchers")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code"], name=CODE_EXISTS),
            models.CheckConstraint(
                condition=models.Q(redeemed__gte=0, redeemed__lte=models.F("limit")), name="redeemed_within_limit"
            ),
            models.CheckConstraint(condition=models.Q(limit__gte=1, limit__lte=LIMIT_MAX), name="limit_in_range"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="voucher_amount_is_positive"),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("starts_at")), name="expiry_after_start"
            ),  # NULL passes
        ]
        indexes = [
            models.Index(
                fields=["generation", "id"],
                condition=models.Q(generation__isnull=False),
                name="voucher_by_generation",
            )
        ]

    def __str__(self) -> str:
        return self.code


class LimitChangeRecord(models.Model):
    """The audit of limits."""

    voucher = models.ForeignKey(Voucher, models.PROTECT, related_name="limit_changes")
    changed_by = models.TextField()
    changed_at = models.DateTimeField(auto_now_add=True)
    limit_before = models.IntegerField()
    limit_after = models.IntegerField()

    class Meta:
        verbose_name = "limit change"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.limit_before} -> {self.limit_after}"


class Profile(models.Model):
    """A user's wallet. Its row is written by the ledger's trigger only."""

    phone_number = models.TextField(db_collation="C")
    balance = models.DecimalField(max_digits=30, decimal_places=2)  # sums of many amounts do not overflow
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Not ``unique=True``, with which Django makes a second index, for LIKE.
            models.UniqueConstraint(fields=["phone_number"], name="vouchers_profile_phone_number_key"),
            models.CheckConstraint(condition=models.Q(balance__gte=0), name=BALANCE_IS_NOT_NEGATIVE),
        ]

    def __str__(self) -> str:
        return self.phone_number


class RedemptionState(models.TextChoices):
    CREDITED = "credited"  # the wallet has the amount
    PENDING = "pending"  # another deployment's wallet has not confirmed it


class Redemption(models.Model):
    """A place taken by a user. Ids are of version 7, so they sort by the order in which places were given."""

    id = models.UUIDField(primary_key=True)
    voucher = models.ForeignKey(Voucher, models.PROTECT, db_index=False)
    redeemer = models.TextField(db_collation="C")
    amount = _money()
    state = models.TextField(choices=RedemptionState)
    created_at = models.DateTimeField()
    reversed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["voucher", "redeemer"], condition=models.Q(reversed_at=None), name=ONE_LIVE_REDEMPTION
            ),
        ]
        indexes = [
            models.Index(fields=["voucher", "id"], name="redemption_report"),
            models.Index(
                fields=["created_at"],
                condition=models.Q(state=RedemptionState.PENDING, reversed_at=None),
                name="redemptions_pending",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class TransferKind(models.TextChoices):
    REDEMPTION = "redemption"
    REVERSAL = "reversal"
    OPENING = "opening"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


class Transfer(models.Model):
    """An entry of the ledger, never changed: ``amount`` leaves ``debit`` and arrives at ``credit``.

    ``redemption_id`` is no foreign key: a wallet of its own deployment has the redemptions elsewhere.
    """

    debit = models.TextField(db_collation="C")
    credit = models.TextField(db_collation="C")
    amount = _money()
    kind = models.TextField(choices=TransferKind)
    redemption_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="transfer_amount_is_positive"),
            models.CheckConstraint(condition=~models.Q(debit=models.F("credit")), name="transfer_has_two_sides"),
            models.UniqueConstraint(
                fields=["redemption_id", "kind"],
                condition=models.Q(redemption_id__isnull=False),
                name="one_transfer_per_redemption_and_kind",
            ),
        ]
        indexes = [
            models.Index(fields=["credit", "id"], condition=models.Q(credit__lt=USERS_BELOW), name="transfers_in"),
            models.Index(fields=["debit", "id"], condition=models.Q(debit__lt=USERS_BELOW), name="transfers_out"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.debit} -> {self.credit}"


class OrderState(models.TextChoices):
    WAITING = "waiting"  # for the wallet's reply
    APPLIED = "applied"
    REFUSED = "refused"


class WalletOrder(models.Model):
    """A message of the outbox: a transfer that the wallet of another deployment is to make; sent until it has a reply.

    The redemption says to whom and how much. A credit has the redemption's id; reversals can be refused and ordered
    again, so each has an id of its own.
    """

    id = models.UUIDField(primary_key=True)
    redemption = models.ForeignKey(Redemption, models.PROTECT, db_index=False, related_name="wallet_orders")
    kind = models.TextField(
        choices=[(kind.value, kind.label) for kind in (TransferKind.REDEMPTION, TransferKind.REVERSAL)]
    )
    state = models.TextField(choices=OrderState, default=OrderState.WAITING)
    attempts = models.IntegerField(default=0)
    last_error = models.TextField(
        blank=True, default="", help_text="Why there is no answer yet, or why it was refused."
    )
    due_at = models.DateTimeField(help_text="When it is sent next.")
    created_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["redemption", "kind"],
                condition=~models.Q(state=OrderState.REFUSED),
                name="one_wallet_order_per_redemption_and_kind",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(state=OrderState.WAITING), name="wallet_orders_waiting")
        ]

    def __str__(self) -> str:
        return str(self.pk)


class WalletAnswer(models.Model):
    """This wallet's reply to an outbox message of another deployment; kept for ever, as messages come again.

    ``code`` is empty where the transfer was made, and says otherwise why it was refused.
    """

    id = models.UUIDField(primary_key=True)
    kind = models.TextField()
    redemption_id = models.UUIDField()
    code = models.TextField(blank=True)
    answered_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.pk)
