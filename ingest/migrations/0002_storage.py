"""Storage settings of the busy tables: updates in place, and vacuum before bloat shows."""

from django.db import migrations

BUSY = {
    # Rewritten with every page: leave room in each block so that an update stays there.
    "ingest_collectionjob": "fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02",
    "ingest_page": "fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02",
    "ingest_rawrecord": "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02",
}


class Migration(migrations.Migration):
    dependencies = [("ingest", "0001_initial")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET ({options})",
            f"ALTER TABLE {table} RESET ({', '.join(part.split('=')[0].strip() for part in options.split(','))})",
        )
        for table, options in BUSY.items()
    ]
