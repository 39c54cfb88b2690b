"""Batches that ended long ago lose their chunks and rejects."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rates", "0003_batches"),
    ]

    operations = [
        migrations.AddField(
            model_name="pricebatch",
            name="is_pruned",
            field=models.BooleanField(db_default=False, help_text="Its chunks and rejects are deleted."),
        ),
        migrations.AddField(
            model_name="pricebatch",
            name="rows_applied",
            field=models.IntegerField(db_default=0, help_text="Of chunks that are deleted."),
        ),
        migrations.AddField(
            model_name="pricebatch",
            name="rows_rejected",
            field=models.IntegerField(db_default=0, help_text="Of chunks that are deleted."),
        ),
        migrations.AddIndex(
            model_name="pricebatch",
            index=models.Index(
                condition=models.Q(("is_pruned", False)), fields=["finished_at"], name="price_batches_not_pruned"
            ),
        ),
    ]
