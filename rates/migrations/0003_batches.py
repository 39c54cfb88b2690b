"""Batches of prices."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rates", "0002_exchange_rates")]

    operations = [
        migrations.CreateModel(
            name="PriceBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "status",
                    models.TextField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("finished", "Finished"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                    ),
                ),
                ("body_format", models.TextField()),
                ("columns", models.JSONField(default=list, help_text="Of a CSV, in its order.")),
                (
                    "content_hash",
                    models.BinaryField(help_text="Of sender, format and body; none if nothing was applied.", null=True),
                ),
                ("row_count", models.IntegerField()),
                ("price_count", models.IntegerField(help_text="Daily prices, when all rows are good.")),
                ("deadline_at", models.DateTimeField(null=True)),
                ("correlation_id", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name_plural": "price batches",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ("queued", "running"))),
                        fields=["id"],
                        name="price_batches_active",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("content_hash",), name="price_batch_is_known_by_content")
                ],
            },
        ),
        migrations.CreateModel(
            name="BatchReject",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("row", models.IntegerField(help_text="Line of the body, or place in the array, from 1.")),
                ("code", models.TextField()),
                ("detail", models.TextField()),
                ("raw", models.TextField(help_text="Its first 1,024 characters.")),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejects",
                        to="rates.pricebatch",
                    ),
                ),
            ],
            options={
                "ordering": ["row"],
                "constraints": [models.UniqueConstraint(fields=("batch", "row"), name="batch_row_is_rejected_once")],
            },
        ),
        migrations.CreateModel(
            name="BatchChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("first_line", models.IntegerField()),
                ("row_count", models.IntegerField()),
                ("price_count", models.IntegerField()),
                ("text", models.BinaryField(help_text="Its lines; empty once it is done or cancelled.")),
                ("attempts", models.SmallIntegerField(default=0, help_text="Begun; each is counted before its work.")),
                ("is_done", models.BooleanField(default=False)),
                (
                    "is_given_up",
                    models.BooleanField(default=False, help_text="After too many attempts all its rows were rejected."),
                ),
                ("rows_applied", models.IntegerField(default=0)),
                ("rows_rejected", models.IntegerField(default=0)),
                ("work_seconds", models.FloatField(help_text="Of the attempt that applied it.", null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="rates.pricebatch",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_done", False)), fields=["batch", "number"], name="batch_chunks_waiting"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("batch", "number"), name="batch_chunk_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_done", False),
                            (
                                "row_count",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("rows_applied"), "+", models.F("rows_rejected")
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="batch_chunk_has_an_outcome_per_row",
                    ),
                ],
            },
        ),
    ]
