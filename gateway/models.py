"""What the gateway keeps in PostgreSQL: API keys, answers under an Idempotency-Key, and a proof of writing."""

from django.core.validators import RegexValidator
from django.db import models


class ApiKey(models.Model):
    """An account. A revoked one stays, so that nobody gets its name and with it its Idempotency-Keys."""

    name = models.TextField(
        validators=[
            RegexValidator(
                r"\A[A-Za-z][A-Za-z0-9._-]{0,63}\Z",
                "Must be 1 to 64 letters, digits, dots, hyphens or underscores, the first a letter.",
            )
        ],
        help_text="The account, in limits and logs; starts with a letter, so that it never looks like an address.",
    )
    digest = models.BinaryField(help_text="SHA-256 of the key.")
    prefix = models.TextField(help_text="How the key begins, to recognise it.")
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="api_key_name"),
            models.UniqueConstraint(fields=["digest"], name="api_key_digest"),
        ]

    def __str__(self) -> str:
        return self.name


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
