"""What the gateway keeps in PostgreSQL: API keys, answers under an Idempotency-Key, and a proof of writing."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone


class ApiKey(models.Model):
    """A key of an account, which has at most one in each slot that is not revoked.

    A revoked one stays: the account's Idempotency-Keys are not another's.
    """

    SLOTS = (1, 2)  # the key in use, and the next one while clients change over

    name = models.TextField(
        "account",
        validators=[
            RegexValidator(
                r"\A[A-Za-z][A-Za-z0-9._-]{0,63}\Z",
                "Must be 1 to 64 letters, digits, dots, hyphens or underscores, the first a letter.",
            )
        ],
        help_text="The account, in limits and logs; starts with a letter, so that it never looks like an address.",
    )
    # The defaults are for the release before, which knows neither: its keys may do nothing here.
    slot = models.PositiveSmallIntegerField(db_default=1)
    digest = models.BinaryField(help_text="SHA-256 of the key.")
    prefix = models.TextField("key", help_text="How the key begins, to recognise it.")
    scopes = ArrayField(models.TextField(), db_default=[], help_text="KeyScopes: what it may do.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Refused from then on; empty: never.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To a minute or two.")

    class Meta:
        verbose_name = "API key"
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["name", "slot"], condition=Q(revoked_at=None), name="api_key_slot"),
            models.UniqueConstraint(fields=["digest"], name="api_key_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.prefix}"

    @property
    def state(self) -> str:
        """active, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= timezone.now() else "active"


class IdempotencyRecord(models.Model):
    """The answer to a request with an Idempotency-Key, written in the transaction of its effect."""

    digest = models.BinaryField(primary_key=True, help_text="Of account, route and key: common/idempotency.py.")
    fingerprint = models.BinaryField(help_text="Of all that makes another request of it.")
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(help_text="Names and values, Content-Type too.")
    body = models.BinaryField()
    created_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return bytes(self.digest).hex()


class WriteProof(models.Model):
    """The one row that readiness writes, because a database that answers may take no writes."""

    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.written_at)
