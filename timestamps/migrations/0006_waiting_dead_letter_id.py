from django.db import migrations, models

INDEX = "waiting_dead_letter_id"
CREATE = f"""
CREATE INDEX CONCURRENTLY IF NOT EXISTS {INDEX} ON timestamps_deadletter (command_id) WHERE state = 'waiting'
"""


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY

    dependencies = [("timestamps", "0005_deadletter_command_id")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddIndex(
                    "deadletter",
                    models.Index(fields=["command_id"], condition=models.Q(state="waiting"), name=INDEX),
                )
            ],
            database_operations=[migrations.RunSQL(CREATE, f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")],
        )
    ]
