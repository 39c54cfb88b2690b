"""Imports that have ended keep what their chunks counted, and lose the chunks.

Those that ended earlier are summed by the next clean-ups, one import in a transaction: see ``promotions/imports/summing.py``.
Until then they are read from their chunks, as before.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("promotions", "0005_import_columns"),
    ]

    operations = [
        migrations.CreateModel(
            name="EndedTotal",
            fields=[
                (
                    "name",
                    models.TextField(
                        help_text="A status, of imports; or loaded, rejected, blank, duplicate.",
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("count", models.BigIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name="import",
            name="is_summed",
            field=models.BooleanField(
                db_default=False,
                help_text="It has ended; its chunks are deleted, and what they counted is in these fields.",
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="bytes_done",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="import",
            name="lines_done",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="import",
            name="rows_loaded",
            field=models.BigIntegerField(db_default=0, help_text="Those that later rows replaced count too."),
        ),
        migrations.AddField(
            model_name="import",
            name="rows_rejected",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="import",
            name="rows_blank",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="import",
            name="reject_reasons",
            field=models.JSONField(db_default=models.Value({}, models.JSONField())),
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(condition=models.Q(("is_summed", False)), fields=["id"], name="import_not_summed"),
        ),
    ]
