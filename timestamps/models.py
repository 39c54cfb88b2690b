"""Which projections of the log there are and how far into it each is, and entries that no projection could take.

Records are in ``timestamps_record_<number>``, named from here (``tables.py``): a rebuild fills the next table
beside the live one, and readers change over when the rows of this table do.
"""

import json

from django.db import models
from django.db.models import Q
from django.utils import timezone

from timestamps.tables import record_table
from timestamps.types import Entry, Position


class TableState(models.TextChoices):
    BUILDING = "building"
    LIVE = "live"
    RETIRED = "retired"
    DROPPED = "dropped"


class RecordTable(models.Model):
    """A projection of the log. Its position is committed in the transaction of the records up to it."""

    number = models.IntegerField(primary_key=True)
    state = models.CharField(max_length=10, choices=TableState)
    name = models.CharField(max_length=100, blank=True)  # of the replay that builds or built it
    position_ms = models.BigIntegerField(default=0)
    position_seq = models.BigIntegerField(default=0)
    records = models.BigIntegerField(default=0)
    # Projected from the log; what did not become a record is a dead letter, or the repeat of an id.
    entries = models.BigIntegerField(default=0, db_default=0)
    last_command_id = models.UUIDField(null=True)  # a record that is in the table, unless somebody emptied it
    # Where its replay began: records through there are copied from the live table, in the order of their ids.
    from_ms = models.BigIntegerField(default=0)
    from_seq = models.BigIntegerField(default=0)
    copied_through = models.UUIDField(null=True)
    is_copied = models.BooleanField(default=True)
    error = models.TextField(blank=True)  # why its replay was given up, or what it waits for
    started_at = models.DateTimeField(default=timezone.now)
    live_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=Q(state=TableState.LIVE), name="one_live_record_table"),
            models.UniqueConstraint(
                fields=["state"], condition=Q(state=TableState.BUILDING), name="one_building_record_table"
            ),
        ]

    def __str__(self) -> str:
        return record_table(self.number)

    @property
    def position(self) -> Position:
        return Position(self.position_ms, self.position_seq)

    @position.setter
    def position(self, position: Position) -> None:
        self.position_ms, self.position_seq = position

    @property
    def replayed_after(self) -> Position:
        """Its records through here are copies."""
        return Position(self.from_ms, self.from_seq)


class DeadLetterState(models.TextChoices):
    WAITING = "waiting"
    RETRIED = "retried"  # its id is a record's


class DeadLetter(models.Model):
    """An entry that a projection could not take. It is still in the log, and read from here while it waits."""

    position_ms = models.BigIntegerField()
    position_seq = models.BigIntegerField()
    command_id = models.UUIDField(null=True)  # of the fields, if it is one
    fields = models.TextField()  # JSON with all but ASCII escaped: jsonb refuses some of what a broken entry may hold
    reason = models.TextField()
    state = models.CharField(max_length=10, choices=DeadLetterState, default=DeadLetterState.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    retried_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-position_ms", "-position_seq"]
        constraints = [models.UniqueConstraint(fields=["position_ms", "position_seq"], name="dead_letter_position")]
        indexes = [models.Index(fields=["command_id"], condition=Q(state="waiting"), name="waiting_dead_letter_id")]

    def __str__(self) -> str:
        return str(self.position)

    @property
    def position(self) -> Position:
        return Position(self.position_ms, self.position_seq)

    @property
    def entry(self) -> Entry:
        return Entry(self.position, json.loads(self.fields))
