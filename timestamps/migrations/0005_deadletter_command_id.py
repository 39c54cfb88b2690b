from django.db import migrations, models

# As json.dumps writes it.
TAKE_IDS = """
UPDATE timestamps_deadletter
SET command_id = substring(fields from '"command_id": "([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"')::uuid
"""


class Migration(migrations.Migration):
    dependencies = [("timestamps", "0004_entries")]

    operations = [
        migrations.AddField("deadletter", "command_id", models.UUIDField(null=True)),
        migrations.RunSQL(TAKE_IDS, migrations.RunSQL.noop),
    ]
