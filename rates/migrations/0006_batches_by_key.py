"""A batch is no longer known by its content. The column stays, and is dropped by a later release: processes of the one
before write it while this migration runs. It may be null, and nobody else reads it.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("rates", "0005_rollups"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint(model_name="pricebatch", name="price_batch_is_known_by_content"),
                migrations.RemoveField(model_name="pricebatch", name="content_hash"),
            ]
        ),
    ]
