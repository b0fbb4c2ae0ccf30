"""Indexes of the new relations, and the checks of 0003 to 0006 made on the rows there are; nobody waits."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models import Q

RELATIONS = [
    ("customer", "customer", "company"),
    ("customer", "customer", "owner"),
    ("productvariant", "variant", "inventory_item"),
    ("order", "order", "location"),
]

UNCHECKED = [
    ("ingest_source", "ingest_source_access_version_check"),
    ("ingest_sourcestream", "ingest_sourcestream_deletion_brake_check"),
    ("ingest_collectionjob", "ingest_collectionjob_missing_objects_check"),
    *((f"ingest_{model}", f"ingest_{model}_{name}_exists") for model, _, name in RELATIONS),
]


def online(model: str, index: models.Index) -> list[Operation]:
    """An attempt that was cut short leaves an index behind that nothing uses; it gives way to a whole one."""
    return [
        migrations.RunSQL(f'DROP INDEX CONCURRENTLY IF EXISTS "{index.name}"', migrations.RunSQL.noop),
        AddIndexConcurrently(model, index),
    ]


def indexes(model: str, prefix: str, name: str) -> list[Operation]:
    key = f"{name}_external_id"
    has_target = Q(**{f"{name}__isnull": False})
    waits = Q(**{f"{name}__isnull": True, f"{key}__isnull": False})
    return [
        *online(model, models.Index(fields=[name], condition=has_target, name=f"{prefix}_{name}")),
        *online(model, models.Index(fields=["source", key], condition=waits, name=f"{prefix}_awaits_{name}")),
    ]


class Migration(migrations.Migration):
    # Indexes are made beside the traffic, which cannot be done within a transaction.
    atomic = False

    dependencies = [("ingest", "0006_wider_kinds")]

    operations = [
        # Such an index waits for every transaction on its table. Nothing waits for it meanwhile.
        migrations.RunSQL("SET lock_timeout = 0", "RESET lock_timeout"),
        migrations.RunSQL("SET statement_timeout = 0", "RESET statement_timeout"),
        *(operation for relation in RELATIONS for operation in indexes(*relation)),
        *(
            migrations.RunSQL(f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{name}"', migrations.RunSQL.noop)
            for table, name in UNCHECKED
        ),
        migrations.RunSQL("RESET statement_timeout", "SET statement_timeout = 0"),
        migrations.RunSQL("RESET lock_timeout", "SET lock_timeout = 0"),
    ]
