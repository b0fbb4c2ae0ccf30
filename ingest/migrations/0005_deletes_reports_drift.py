"""What full refreshes no longer list, reports that providers make, and fields that change."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingest', '0004_more_kinds'),
    ]

    operations = [
        migrations.AddField(
            model_name='collectionjob',
            name='deletions_accepted',
            field=models.BooleanField(db_default=False, default=False, help_text='A person let them be deleted, however many they are.'),
        ),
        # A column that comes with a check has the whole table read under its lock.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField(
                    model_name='collectionjob',
                    name='missing_objects',
                    field=models.BigIntegerField(blank=True, null=True),
                ),
                migrations.RunSQL(
                    'ALTER TABLE "ingest_collectionjob" ADD CONSTRAINT "ingest_collectionjob_missing_objects_check"'
                    ' CHECK ("missing_objects" >= 0) NOT VALID',
                    migrations.RunSQL.noop,
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='collectionjob',
                    name='missing_objects',
                    field=models.PositiveBigIntegerField(blank=True, help_text='Objects the source no longer lists; null: nobody looked.', null=True),
                ),
            ],
        ),
        # A column that comes with a check has the whole table read under its lock.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField(
                    model_name='sourcestream',
                    name='deletion_brake',
                    field=models.SmallIntegerField(db_default=30, default=30),
                ),
                migrations.RunSQL(
                    'ALTER TABLE "ingest_sourcestream" ADD CONSTRAINT "ingest_sourcestream_deletion_brake_check"'
                    ' CHECK ("deletion_brake" >= 0) NOT VALID',
                    migrations.RunSQL.noop,
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='sourcestream',
                    name='deletion_brake',
                    field=models.PositiveSmallIntegerField(db_default=30, default=30, help_text='If a full refresh misses more than this percentage of the objects, deleting them waits for a person.', validators=[django.core.validators.MaxValueValidator(100)]),
                ),
            ],
        ),
        migrations.CreateModel(
            name='FieldChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.CharField(help_text='"name", or "object.name" one level down.', max_length=255)),
                ('change', models.CharField(choices=[('FIRST_SEEN', 'First seen'), ('VANISHED', 'Vanished'), ('RETYPED', 'Type changed')], max_length=10)),
                ('type', models.CharField(help_text='text, number, boolean, object, list or null; of what vanished: what it was.', max_length=10)),
                ('share', models.FloatField(default=1.0)),
                ('is_initial', models.BooleanField(default=False, help_text="There since the stream's first run.")),
                ('sample', models.TextField(blank=True, help_text='A value, cut short.')),
                ('external_id', models.CharField(blank=True, help_text='Where the sample is from.', max_length=255)),
                ('seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('job', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='ingest.collectionjob')),
                ('stream', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='field_changes', to='ingest.sourcestream')),
            ],
            options={
                'verbose_name': 'field change',
                'constraints': [models.UniqueConstraint(fields=('stream', 'path', 'change', 'type'), name='one_note_per_field_change')],
            },
        ),
        migrations.CreateModel(
            name='ReportRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(max_length=255)),
                ('attempt', models.PositiveSmallIntegerField(default=1)),
                ('state', models.CharField(choices=[('STARTED', 'Started'), ('RUNNING', 'Being made'), ('READY', 'Ready, being read'), ('DOWNLOADED', 'Read to its end'), ('FAILED', 'Failed'), ('EXPIRED', 'Expired')], default='STARTED', max_length=10)),
                ('started_at', models.DateTimeField()),
                ('polls', models.PositiveIntegerField(default=0)),
                ('next_poll_at', models.DateTimeField(null=True)),
                ('rows', models.PositiveBigIntegerField(default=0, help_text='Read so far.')),
                ('error', models.TextField(blank=True)),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='report_runs', to='ingest.collectionjob')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='report_runs', to='ingest.source')),
                ('stream', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='report_runs', to='ingest.sourcestream')),
            ],
            options={
                'verbose_name': 'report',
                'constraints': [models.UniqueConstraint(fields=('job', 'external_id'), name='one_report_per_external_id')],
            },
        ),
        migrations.CreateModel(
            name='Sighting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pass_number', models.PositiveIntegerField()),
                ('page_number', models.PositiveIntegerField()),
                ('external_ids', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='sightings', to='ingest.collectionjob')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('job', 'pass_number', 'page_number'), name='one_sighting_per_page')],
            },
        ),
        migrations.RunSQL(
            'ALTER TABLE "ingest_sighting" SET (autovacuum_vacuum_scale_factor = 0.02,'
            ' autovacuum_analyze_scale_factor = 0.02)',
            migrations.RunSQL.noop,
        ),
    ]
