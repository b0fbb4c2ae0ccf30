"""Credentials at rest: unreadable in the database, readable through key rotations."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from connectors.errors import ConfigError
from ingest import crypto
from ingest.connecting import connector_for
from ingest.models import Source

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = {"access_token": "canary-5d1c", "note": "süß"}


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM ingest_source")
        text: str = cursor.fetchone()[0]
        return text


@pytest.mark.django_db
def test_the_database_holds_no_plain_text() -> None:
    Source.objects.create(name="shop", connector="scripted", credentials=SECRET)

    assert "canary" not in stored()
    assert Source.objects.get().credentials == SECRET


@pytest.mark.django_db
def test_no_credentials_are_an_empty_object() -> None:
    Source.objects.create(name="shop", connector="scripted")

    assert Source.objects.get().credentials == {}


@pytest.mark.django_db
def test_an_old_key_reads_and_the_first_key_writes(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    source = Source.objects.create(name="shop", connector="scripted", credentials=SECRET)

    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    source.refresh_from_db()
    assert source.credentials == SECRET
    source.save()

    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    source.refresh_from_db()
    assert source.credentials == SECRET


@pytest.mark.django_db
def test_credentials_under_a_lost_key_say_which_setting_to_mend(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    Source.objects.create(name="shop", connector="scripted", credentials=SECRET)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]

    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS") as refusal:
        Source.objects.get()

    assert OLD not in str(refusal.value)
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("keys", [["too short"], [NEW, ""]])
def test_a_key_that_is_none_is_named_by_its_setting(settings: Any, keys: list[str]) -> None:
    settings.FIELD_ENCRYPTION_KEYS = keys

    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        crypto.encrypt(SECRET)


def test_equal_secrets_are_stored_differently() -> None:
    assert crypto.encrypt(SECRET) != crypto.encrypt(SECRET)


@pytest.mark.django_db
def test_a_job_of_a_source_with_unreadable_credentials_says_so(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    pk = Source.objects.create(name="shop", connector="csv", credentials=SECRET).pk
    settings.FIELD_ENCRYPTION_KEYS = [NEW]

    with pytest.raises((ConfigError, ImproperlyConfigured), match="FIELD_ENCRYPTION_KEYS"):
        connector_for(Source.objects.defer("credentials").get(pk=pk))
