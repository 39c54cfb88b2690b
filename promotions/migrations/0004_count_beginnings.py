"""Beginnings of planning, of chunks and of indexes, of which those that never end are deaths of their workers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("promotions", "0003_prune_rejects"),
    ]

    operations = [
        migrations.AddField(
            model_name="chunk",
            name="begun",
            field=models.PositiveSmallIntegerField(
                db_default=0, help_text="Times that it was begun and came to no end: the worker died, or is at it now."
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="begun",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                help_text="Times that planning was begun and came to no end: the worker died, or is at it now.",
            ),
        ),
        migrations.AddField(
            model_name="versiontable",
            name="begun",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                help_text="Times that its index was begun and came to no end: the worker died, or is at it now.",
            ),
        ),
    ]
