import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rates", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="DoubtfulRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", models.CharField(max_length=3)),
                ("rate_on", models.DateField()),
                ("provider", models.TextField()),
                ("usd_per_unit", models.DecimalField(decimal_places=12, max_digits=36)),
                ("reason", models.TextField()),
                ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["-rate_on", "currency"],
                "constraints": [
                    models.UniqueConstraint(fields=("currency", "rate_on", "provider"), name="doubtful_rate_once_a_day")
                ],
            },
        ),
        migrations.CreateModel(
            name="ExchangeRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", models.CharField(max_length=3)),
                ("rate_on", models.DateField()),
                ("provider", models.TextField()),
                ("usd_per_unit", models.DecimalField(decimal_places=12, max_digits=24)),
                ("stored_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("currency", "rate_on", "provider"), name="exchange_rate_once_a_day"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("usd_per_unit__gt", 0)), name="exchange_rate_is_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("currency", "USD"), _negated=True), name="exchange_rate_is_not_of_usd"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RateFetch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.TextField()),
                ("rate_on", models.DateField()),
                ("is_done", models.BooleanField(default=False)),
                ("attempts", models.IntegerField(default=0, help_text="That failed since the last answer.")),
                ("last_error", models.TextField(default="")),
                ("due_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("fetched_at", models.DateTimeField(help_text="Last answer.", null=True)),
            ],
            options={
                "verbose_name_plural": "rate fetches",
                "constraints": [models.UniqueConstraint(fields=("provider", "rate_on"), name="rate_fetch_once_a_day")],
            },
        ),
    ]
