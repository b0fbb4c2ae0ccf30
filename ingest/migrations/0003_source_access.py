"""How a source is let in: tokens, when a person has to reconnect it, what its rate budgets stand at."""

import django.db.models.deletion
import ingest.crypto
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingest', '0002_storage'),
    ]

    operations = [
        migrations.CreateModel(
            name='SourceToken',
            fields=[
                ('source', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='token', serialize=False, to='ingest.source')),
                ('token', ingest.crypto.EncryptedJSONField(editable=False, null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('renewed_at', models.DateTimeField(null=True)),
                ('renewals', models.PositiveIntegerField(default=0)),
                ('unanswered_at', models.DateTimeField(help_text='When a renewal got no answer that could be read; empty after the next good one.', null=True)),
                ('quiet_until', models.DateTimeField(help_text='The token endpoint asked us to wait until then.', null=True)),
            ],
            options={
                'verbose_name': 'token',
            },
        ),
        # A column that comes with a check has the whole table read under its lock.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField(
                    model_name='source',
                    name='access_version',
                    field=models.IntegerField(db_default=0, default=0),
                ),
                migrations.RunSQL(
                    'ALTER TABLE "ingest_source" ADD CONSTRAINT "ingest_source_access_version_check"'
                    ' CHECK ("access_version" >= 0) NOT VALID',
                    migrations.RunSQL.noop,
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='source',
                    name='access_version',
                    field=models.PositiveIntegerField(db_default=0, default=0, editable=False, help_text='Goes up when a person lets us in anew: what was refused before says nothing of that.'),
                ),
            ],
        ),
        migrations.AddField(
            model_name='source',
            name='needs_reconnect_reason',
            field=models.TextField(blank=True, db_default='', default='', editable=False),
        ),
        migrations.AddField(
            model_name='source',
            name='needs_reconnect_since',
            field=models.DateTimeField(blank=True, editable=False, help_text='The provider wants a person; nothing is fetched.', null=True),
        ),
        migrations.CreateModel(
            name='RateBudget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=50)),
                ('rate', models.FloatField(help_text='Units per second that come back.')),
                ('burst', models.FloatField(help_text='Units at once after a rest.')),
                ('available', models.FloatField(help_text='Units that could be spent right now.')),
                ('used_per_minute', models.FloatField()),
                ('daily_limit', models.PositiveBigIntegerField(null=True)),
                ('daily_used', models.PositiveBigIntegerField(null=True)),
                ('daily_forecast', models.PositiveBigIntegerField(help_text='What the day will come to if it goes on like this.', null=True)),
                ('daily_reset_at', models.DateTimeField(null=True)),
                ('blocked_until', models.DateTimeField(help_text='The provider asked us to wait until then.', null=True)),
                ('seen_at', models.DateTimeField()),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rate_budgets', to='ingest.source')),
            ],
            options={
                'verbose_name': 'rate budget',
                'constraints': [models.UniqueConstraint(fields=('source', 'name'), name='one_budget_per_name')],
            },
        ),
    ]
