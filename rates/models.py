"""Regions, ports, prices and their rollups. Every promise about them is a constraint or a trigger.

Triggers (migrations/0001_tree.sql, 0001_rollups.sql, 0005_rollups.sql, 0008_rollups_by_level.sql): the closure follows
the tree, which never has a cycle; rollups follow prices and ports; the data version follows them all. So nothing else
writes closure, rollups or versions.
"""

from django.db import models
from django.db.models.functions import Now

PRICE_DIGITS, PRICE_PLACES = 12, 2
AMOUNT_DIGITS, AMOUNT_PLACES = 20, 6  # of a price in any currency, as it came
# Prices in USD and amounts are above 0 and below these.
PRICE_BELOW = 10 ** (PRICE_DIGITS - PRICE_PLACES)
AMOUNT_BELOW = 10 ** (AMOUNT_DIGITS - AMOUNT_PLACES)
RATE_DIGITS, RATE_PLACES = 24, 12
CODE_LENGTH = 5
SLUG_LENGTH = 100
NO_CYCLE = "region_tree_has_no_cycle"
SLUG_EXISTS = "region_slug_is_unique"
CODE_EXISTS = "port_code_is_unique"
PORT_HAS_PRICES = "port_has_prices"

# Regions, ports, prices


class Region(models.Model):
    """A node of the tree; without a parent it is a root."""

    id = models.AutoField(primary_key=True)
    slug = models.CharField(max_length=SLUG_LENGTH, db_collation="C")
    name = models.TextField()
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name=SLUG_EXISTS),
            models.CheckConstraint(condition=models.Q(slug__regex=r"^[A-Za-z0-9_-]+$"), name="region_slug_is_plain"),
        ]

    def __str__(self) -> str:
        return self.slug


class RegionClosure(models.Model):
    """Every region with each region under it, and with itself."""

    pk = models.CompositePrimaryKey("ancestor_id", "descendant_id")
    ancestor = models.ForeignKey(Region, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    descendant = models.ForeignKey(Region, models.DO_NOTHING, db_constraint=False, related_name="+")
    depth = models.IntegerField(help_text="Steps from the ancestor down to the descendant.")


class Port(models.Model):
    id = models.AutoField(primary_key=True)
    code = models.CharField(max_length=CODE_LENGTH, db_collation="C")
    name = models.TextField()
    region = models.ForeignKey(Region, models.PROTECT, related_name="ports")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code"], name=CODE_EXISTS),
            models.CheckConstraint(
                condition=models.Q(code__regex=r"^[A-Z0-9]{5}$"), name="port_code_has_five_characters"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Price(models.Model):
    """One observation, never changed; several of a lane and day count each, equal ones too.

    Ports are no foreign keys for the server, which would look each of millions of rows up, twice: a trigger refuses
    unknown ports for a whole statement, and another the deletion of a port that has prices.
    """

    origin = models.ForeignKey(Port, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    destination = models.ForeignKey(Port, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    day = models.DateField()
    price_usd = models.DecimalField(max_digits=PRICE_DIGITS, decimal_places=PRICE_PLACES)
    # Where it was converted; NULL where it came in USD.
    original_amount = models.DecimalField(max_digits=AMOUNT_DIGITS, decimal_places=AMOUNT_PLACES, null=True)
    original_currency = models.CharField(max_length=3, null=True)
    exchange_rate = models.DecimalField(
        max_digits=RATE_DIGITS, decimal_places=RATE_PLACES, null=True, help_text="USD for one unit."
    )
    rate_on = models.DateField(null=True)
    provider = models.TextField(null=True)
    # Where it came in a batch.
    batch_id = models.BigIntegerField(null=True)
    batch_row = models.IntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(  # the upper end is for NaN, of which no rollup would ever be rid
                condition=models.Q(price_usd__gt=0, price_usd__lt=PRICE_BELOW),
                name="price_is_positive",
            )
        ]
        indexes = [models.Index(fields=["origin", "destination", "day"], name="price_by_lane_and_day")]

    def __str__(self) -> str:
        return f"{self.price_usd} USD on {self.day}"


class Level(models.IntegerChoices):
    """What a rollup's origin and destination are; a port counts for the region that it belongs to directly."""

    PORT_PORT = 1
    PORT_REGION = 2
    REGION_PORT = 3
    REGION_REGION = 4


class Rollup(models.Model):
    """Sum and number of the prices of a day between two places."""

    pk = models.CompositePrimaryKey("level", "origin", "destination", "day")
    level = models.SmallIntegerField(choices=Level)
    origin = models.IntegerField()
    destination = models.IntegerField()
    day = models.DateField()
    sum = models.DecimalField(max_digits=24, decimal_places=PRICE_PLACES)
    count = models.IntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(count__gt=0), name="rollup_has_prices")]


class DataVersion(models.Model):
    """The sum of all versions grows with each transaction that changes an answer.

    Several rows, so that writers do not wait for each other.
    """

    stripe = models.SmallIntegerField(primary_key=True)
    version = models.BigIntegerField()


class PriceImport(models.Model):
    """A file of prices that was imported, or is: ``rows_added`` moves in the transaction that adds a slice of it."""

    sha256 = models.CharField(max_length=64)
    repeat = models.IntegerField(default=0, help_text="How often the same file came before, on purpose.")
    path = models.TextField()
    last_port_id = models.IntegerField(help_text="Ports that came later are unknown to it.")
    rows_added = models.BigIntegerField(default=0)
    rows_rejected = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256", "repeat"], name="price_import_is_known_by_content")]

    def __str__(self) -> str:
        return self.path


# Currencies and exchange rates (migration 0002)


class ExchangeRate(models.Model):
    """What one unit of a currency was worth on a day, as a provider said and the outlier filter believed."""

    currency = models.CharField(max_length=3)
    rate_on = models.DateField()
    provider = models.TextField()
    usd_per_unit = models.DecimalField(max_digits=RATE_DIGITS, decimal_places=RATE_PLACES)
    stored_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["currency", "rate_on", "provider"], name="exchange_rate_once_a_day"),
            models.CheckConstraint(condition=models.Q(usd_per_unit__gt=0), name="exchange_rate_is_positive"),
            models.CheckConstraint(condition=~models.Q(currency="USD"), name="exchange_rate_is_not_of_usd"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} on {self.rate_on}"


class DoubtfulRate(models.Model):
    """An outlier: a rate that the outlier filter kept out, until a person accepts it or the provider says another."""

    currency = models.CharField(max_length=3)
    rate_on = models.DateField()
    provider = models.TextField()
    usd_per_unit = models.DecimalField(max_digits=36, decimal_places=RATE_PLACES)  # too large ones too
    reason = models.TextField()
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-rate_on", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "rate_on", "provider"], name="doubtful_rate_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.currency} on {self.rate_on}"


class RateFetch(models.Model):
    """A day of a provider that is asked over the network, until the day is over and its rates are here."""

    provider = models.TextField()
    rate_on = models.DateField()
    is_done = models.BooleanField(default=False)
    attempts = models.IntegerField(default=0, help_text="That failed since the last answer.")
    last_error = models.TextField(default="")
    due_at = models.DateTimeField(db_default=Now())
    fetched_at = models.DateTimeField(null=True, help_text="Last answer.")

    class Meta:
        verbose_name_plural = "rate fetches"
        constraints = [models.UniqueConstraint(fields=["provider", "rate_on"], name="rate_fetch_once_a_day")]

    def __str__(self) -> str:
        return f"{self.provider}, {self.rate_on}"


# Batches (migration 0003)


class BatchStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"  # every row has its outcome
    FAILED = "failed"  # the same, but some chunk was given up
    CANCELLED = "cancelled"  # what was applied before stays


BATCH_ACTIVE = (BatchStatus.QUEUED, BatchStatus.RUNNING)


class PriceBatch(models.Model):
    """Many prices that came in one request; its chunks hold the rows."""

    status = models.TextField(choices=BatchStatus, default=BatchStatus.QUEUED)
    body_format = models.TextField()
    columns = models.JSONField(default=list, help_text="Of a CSV, in its order.")
    row_count = models.IntegerField()
    price_count = models.IntegerField(help_text="Daily prices, when all rows are good.")
    deadline_at = models.DateTimeField(null=True)
    correlation_id = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    is_pruned = models.BooleanField(db_default=False, help_text="Its chunks and rejects are deleted.")
    rows_applied = models.IntegerField(db_default=0, help_text="Of chunks that are deleted.")
    rows_rejected = models.IntegerField(db_default=0, help_text="Of chunks that are deleted.")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "price batches"
        indexes = [
            models.Index(fields=["id"], name="price_batches_active", condition=models.Q(status__in=BATCH_ACTIVE)),
            models.Index(fields=["finished_at"], name="price_batches_not_pruned", condition=models.Q(is_pruned=False)),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class PrunedTotals(models.Model):
    """The one row that adds up all pruned batches, so that a scrape of metrics reads no history."""

    rows_applied = models.BigIntegerField(default=0)
    rows_rejected = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.rows_applied} applied, {self.rows_rejected} rejected"


class BatchChunk(models.Model):
    """Rows of a batch whose prices, rejects and mark ``is_done`` are one transaction."""

    batch = models.ForeignKey(PriceBatch, models.CASCADE, db_index=False, related_name="chunks")
    number = models.IntegerField()
    first_line = models.IntegerField()
    row_count = models.IntegerField()
    price_count = models.IntegerField()
    text = models.BinaryField(help_text="Its lines; empty once it is done or cancelled.")
    attempts = models.SmallIntegerField(default=0, help_text="Begun; each is counted before its work.")
    is_done = models.BooleanField(default=False)
    is_given_up = models.BooleanField(default=False, help_text="After too many attempts all its rows were rejected.")
    rows_applied = models.IntegerField(default=0)
    rows_rejected = models.IntegerField(default=0)
    work_seconds = models.FloatField(null=True, help_text="Of the attempt that applied it.")

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="batch_chunk_once"),
            models.CheckConstraint(
                condition=models.Q(is_done=False)
                | models.Q(row_count=models.F("rows_applied") + models.F("rows_rejected")),
                name="batch_chunk_has_an_outcome_per_row",
            ),
        ]
        indexes = [
            models.Index(fields=["batch", "number"], name="batch_chunks_waiting", condition=models.Q(is_done=False))
        ]


class BatchReject(models.Model):
    """A row of a batch that became no price."""

    batch = models.ForeignKey(PriceBatch, models.CASCADE, db_index=False, related_name="rejects")
    row = models.IntegerField(help_text="Line of the body, or place in the array, from 1.")
    code = models.TextField()
    detail = models.TextField()
    raw = models.TextField(help_text="Its first 1,024 characters.")

    class Meta:
        ordering = ["row"]
        constraints = [models.UniqueConstraint(fields=["batch", "row"], name="batch_row_is_rejected_once")]
