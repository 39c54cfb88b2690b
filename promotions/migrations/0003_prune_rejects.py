"""Imports that ended long ago lose their rejects."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("promotions", "0002_digests_storage"),
    ]

    operations = [
        migrations.AddField(
            model_name="import",
            name="is_pruned",
            field=models.BooleanField(db_default=False, help_text="Its rejects are deleted."),
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(
                condition=models.Q(("is_pruned", False)), fields=["finished_at"], name="import_not_pruned"
            ),
        ),
    ]
