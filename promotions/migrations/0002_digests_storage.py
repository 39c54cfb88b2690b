from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("promotions", "0001_initial")]

    operations = [
        migrations.RunSQL(
            # Random bytes do not compress, and slices of them are read: out of line and plain.
            "ALTER TABLE promotions_chunkdigests ALTER COLUMN ordered SET STORAGE EXTERNAL",
            "ALTER TABLE promotions_chunkdigests ALTER COLUMN ordered SET STORAGE EXTENDED",
        )
    ]
