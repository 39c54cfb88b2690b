from django.db import migrations, models


class Migration(migrations.Migration):
    """A replay that is running meanwhile has not counted its first entries: its proof gives it up."""

    dependencies = [("timestamps", "0003_insert_each")]

    operations = [
        migrations.AddField(
            model_name="recordtable", name="entries", field=models.BigIntegerField(db_default=0, default=0)
        ),
        migrations.RemoveField(model_name="recordtable", name="repeats"),
    ]
