"""Counters as the database has them, and which segments of the buffer it has."""

from django.db import models


class Counter(models.Model):
    """The persisted part of a counter; pending deltas are in Valkey."""

    key = models.UUIDField(primary_key=True)
    value = models.DecimalField(max_digits=1000, decimal_places=0)  # numeric: a sum of 2^63-1 deltas never overflows
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(value__gte=1), name="counter_value_is_positive")]
        verbose_name = "counter"

    def __str__(self) -> str:
        return str(self.key)


class Flush(models.Model):
    """A segment of the buffer on its way into the database, or already in it.

    ``done_through_key`` moves in the transaction that adds the deltas up to it, so a flush that was interrupted goes on
    behind it, and a reader knows which deltas the counters contain already.
    """

    generation = models.UUIDField(primary_key=True)
    shard = models.SmallIntegerField()
    keys = models.IntegerField(default=0)
    done_through_key = models.UUIDField(null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "flushes"
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["-started_at"], name="flush_by_start")]

    def __str__(self) -> str:
        return str(self.generation)


class FlushTotals(models.Model):
    """All finished flushes of a shard, added up in their last transaction: exact, and never pruned."""

    shard = models.SmallIntegerField(primary_key=True)
    flushes = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return str(self.shard)
