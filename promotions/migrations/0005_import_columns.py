"""Sources whose header names the columns in another order."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("promotions", "0004_count_beginnings"),
    ]

    operations = [
        migrations.AddField(
            model_name="import",
            name="columns",
            field=models.TextField(db_default="id,price,expiration_date", help_text="Of the source, in its order."),
        ),
    ]
