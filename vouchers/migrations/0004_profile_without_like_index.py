from django.db import migrations, models

# Django makes it beside the index of a unique text. With the collation "C" that one serves LIKE too, and each index is
# one more to write for each profile that a redemption opens.
LIKE_INDEX = "vouchers_profile_phone_number_0e3bedf2_like"


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY

    dependencies = [("vouchers", "0003_generations_end")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="profile", name="phone_number", field=models.TextField(db_collation="C")
                ),
                migrations.AddConstraint(
                    model_name="profile",
                    constraint=models.UniqueConstraint(
                        fields=("phone_number",), name="vouchers_profile_phone_number_key"
                    ),
                ),
            ],
            database_operations=[
                migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {LIKE_INDEX}", migrations.RunSQL.noop)
            ],
        ),
    ]
