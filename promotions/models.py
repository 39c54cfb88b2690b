"""Tables of the import machinery. The promotions themselves live in one plain table per version: see ``tables.py``."""

from django.db import models
from django.db.models import F, Q, Value


class ImportStatus(models.TextChoices):
    QUEUED = "queued"
    PLANNING = "planning"
    LOADING = "loading"
    INDEXING = "indexing"
    CHECKING = "checking"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (
    ImportStatus.QUEUED,
    ImportStatus.PLANNING,
    ImportStatus.LOADING,
    ImportStatus.INDEXING,
    ImportStatus.CHECKING,
)


class Import(models.Model):
    """One submission of a source file. Its id is also the number of the version it makes, and orders submissions."""

    source = models.TextField(help_text="The file as the submitter named it.")
    path = models.TextField(help_text="The file as submitted.")
    file_state = models.TextField(help_text="Inode, size and time of the last change when it was submitted.")
    plain_path = models.TextField(
        blank=True, help_text="The file that workers read: the same, or an archive's unpacked copy."
    )
    is_upload = models.BooleanField(default=False, help_text="The file is ours and goes when the import has succeeded.")
    status = models.TextField(choices=ImportStatus.choices, default=ImportStatus.QUEUED)
    error = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="Unexpected failures so far.")
    correlation_id = models.TextField(blank=True)

    bytes_total = models.BigIntegerField(default=0)
    sha256 = models.TextField(blank=True)
    line_count = models.BigIntegerField(default=0, help_text="Rows of the source, blank ones too, without the header.")
    table_count = models.PositiveIntegerField(default=1)
    rows_duplicate = models.BigIntegerField(default=0)
    columns = models.TextField(db_default="id,price,expiration_date", help_text="Of the source, in its order.")

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    begun = models.PositiveSmallIntegerField(
        db_default=0, help_text="Times that planning was begun and came to no end: the worker died, or is at it now."
    )
    is_pruned = models.BooleanField(db_default=False, help_text="Its rejects are deleted.")

    is_summed = models.BooleanField(
        db_default=False, help_text="It has ended; its chunks are deleted, and what they counted is in these fields."
    )
    bytes_done = models.BigIntegerField(db_default=0)
    lines_done = models.BigIntegerField(db_default=0)
    rows_loaded = models.BigIntegerField(db_default=0, help_text="Those that later rows replaced count too.")
    rows_rejected = models.BigIntegerField(db_default=0)
    rows_blank = models.BigIntegerField(db_default=0)
    reject_reasons = models.JSONField(db_default=Value({}, models.JSONField()))

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], name="import_active", condition=Q(status__in=ACTIVE)),
            models.Index(fields=["finished_at"], name="import_not_pruned", condition=Q(is_pruned=False)),
            models.Index(fields=["id"], name="import_not_summed", condition=Q(is_summed=False)),
        ]

    def __str__(self) -> str:
        return f"{self.id}: {self.source}"


class Chunk(models.Model):
    """A byte range of a source that ends at a line end; loaded in one transaction together with ``is_done``."""

    source_import = models.ForeignKey(Import, models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    offset = models.BigIntegerField()
    length = models.BigIntegerField()
    first_line = models.BigIntegerField()
    line_count = models.BigIntegerField()
    checksum = models.BigIntegerField()
    begun = models.PositiveSmallIntegerField(
        db_default=0, help_text="Times that it was begun and came to no end: the worker died, or is at it now."
    )
    is_done = models.BooleanField(default=False)
    rows_loaded = models.BigIntegerField(default=0)
    rows_blank = models.BigIntegerField(default=0)
    rows_rejected = models.BigIntegerField(default=0)
    reject_reasons = models.JSONField(default=dict)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["source_import", "number"], name="chunk_once_per_import"),
            models.CheckConstraint(
                condition=Q(is_done=False) | Q(line_count=F("rows_loaded") + F("rows_rejected") + F("rows_blank")),
                name="chunk_accounts_for_every_line",
            ),
        ]
        indexes = [models.Index(fields=["source_import", "number"], name="chunk_pending", condition=Q(is_done=False))]


class EndedTotal(models.Model):
    """Counts over all summed imports, so that a scrape of metrics reads no history."""

    name = models.TextField(primary_key=True, help_text="A status, of imports; or loaded, rejected, blank, duplicate.")
    count = models.BigIntegerField()


class VersionTable(models.Model):
    """One of the tables of the version in the making; indexed in one transaction together with ``is_indexed``."""

    source_import = models.ForeignKey(Import, models.CASCADE, related_name="tables")
    index = models.PositiveIntegerField(help_text="Its place by id prefix.")
    begun = models.PositiveSmallIntegerField(
        db_default=0, help_text="Times that its index was begun and came to no end: the worker died, or is at it now."
    )
    is_indexed = models.BooleanField(default=False)

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["source_import", "index"], name="table_once_per_import")]


class ChunkDigests(models.Model):
    """Digests of the ids that a chunk put into one table, until the duplicates among them are found."""

    chunk = models.ForeignKey(Chunk, models.CASCADE, related_name="digests")
    table_index = models.PositiveIntegerField()
    ordered = models.BinaryField(help_text="Ascending, 8 bytes each.")
    fences = models.JSONField(help_text="Where the digests with each first byte begin, and their end.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chunk", "table_index"], name="digests_once_per_table")]


class Reject(models.Model):
    """A row of the source that was not loaded, or that a later row with the same id replaced."""

    source_import = models.ForeignKey(Import, models.CASCADE, related_name="rejects")
    line = models.BigIntegerField()
    offset = models.BigIntegerField(null=True)
    column = models.TextField(blank=True)
    reason = models.TextField()
    detail = models.TextField()
    raw = models.TextField(blank=True, help_text="The first 1,024 bytes of the line.")
    kept_line = models.BigIntegerField(null=True, help_text="For a duplicate: the line that is served.")

    class Meta:
        ordering = ["line"]
        indexes = [models.Index(fields=["source_import", "line"], name="reject_by_line")]


class Version(models.Model):
    """A complete version that is or was published."""

    number = models.BigIntegerField(primary_key=True)
    source_import = models.OneToOneField(Import, models.PROTECT, related_name="version")
    table_count = models.PositiveIntegerField()
    row_count = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, help_text="When readers left it; none while it is live.")
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(models.Value(1), condition=Q(retired_at=None), name="one_live_version"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class Publication(models.Model):
    """A decision to serve a version: the outbox event ``promotions.loaded`` of the write store."""

    epoch = models.BigIntegerField(primary_key=True)
    version = models.ForeignKey(Version, models.PROTECT, related_name="publications")
    decided_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, help_text="When the read store and the cache carried it.")
    correlation_id = models.TextField(db_default="", help_text="Of the request that led to it.")

    class Meta:
        ordering = ["-epoch"]


class Pointer(models.Model):
    """Read store: which version is served. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.BigIntegerField()
    version = models.BigIntegerField()
    table_count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_pointer")]
