"""Columns and relations that the kinds of before have gained."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingest', '0005_deletes_reports_drift'),
    ]

    operations = [
        migrations.AddField(
            model_name='customer',
            name='company_external_id',
            field=models.CharField(max_length=255, null=True),
        ),
        migrations.AddField(
            model_name='customer',
            name='company_name',
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name='customer',
            name='owner_external_id',
            field=models.CharField(max_length=255, null=True),
        ),
        migrations.AddField(
            model_name='customer',
            name='status',
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='location_external_id',
            field=models.CharField(max_length=255, null=True),
        ),
        migrations.AddField(
            model_name='orderline',
            name='total_amount',
            field=models.DecimalField(decimal_places=6, max_digits=20, null=True),
        ),
        migrations.AddField(
            model_name='productvariant',
            name='inventory_item_external_id',
            field=models.CharField(max_length=255, null=True),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField(
                    model_name='customer',
                    name='company',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='customers', to='ingest.company'),
                ),
                migrations.RunSQL(
                    'ALTER TABLE "ingest_customer" ADD CONSTRAINT "ingest_customer_company_exists"'
                    ' FOREIGN KEY ("company_id") REFERENCES "ingest_company" ("id")'
                    ' DEFERRABLE INITIALLY DEFERRED NOT VALID',
                    migrations.RunSQL.noop,
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='customer',
                    name='company',
                    field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='customers', to='ingest.company'),
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField(
                    model_name='customer',
                    name='owner',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='customers', to='ingest.employee'),
                ),
                migrations.RunSQL(
                    'ALTER TABLE "ingest_customer" ADD CONSTRAINT "ingest_customer_owner_exists"'
                    ' FOREIGN KEY ("owner_id") REFERENCES "ingest_employee" ("id")'
                    ' DEFERRABLE INITIALLY DEFERRED NOT VALID',
                    migrations.RunSQL.noop,
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='customer',
                    name='owner',
                    field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='customers', to='ingest.employee'),
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField(
                    model_name='productvariant',
                    name='inventory_item',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='variants', to='ingest.inventoryitem'),
                ),
                migrations.RunSQL(
                    'ALTER TABLE "ingest_productvariant" ADD CONSTRAINT "ingest_productvariant_inventory_item_exists"'
                    ' FOREIGN KEY ("inventory_item_id") REFERENCES "ingest_inventoryitem" ("id")'
                    ' DEFERRABLE INITIALLY DEFERRED NOT VALID',
                    migrations.RunSQL.noop,
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='productvariant',
                    name='inventory_item',
                    field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='variants', to='ingest.inventoryitem'),
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField(
                    model_name='order',
                    name='location',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='orders', to='ingest.location'),
                ),
                migrations.RunSQL(
                    'ALTER TABLE "ingest_order" ADD CONSTRAINT "ingest_order_location_exists"'
                    ' FOREIGN KEY ("location_id") REFERENCES "ingest_location" ("id")'
                    ' DEFERRABLE INITIALLY DEFERRED NOT VALID',
                    migrations.RunSQL.noop,
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='order',
                    name='location',
                    field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='orders', to='ingest.location'),
                ),
            ],
        ),
    ]
