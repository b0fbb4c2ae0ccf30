"""Staff of three sorts, and a shop for them to look at."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from tests.admin.shop import Shop, build_shop


@pytest.fixture
def shop(db: None) -> Shop:
    return build_shop(now=timezone.now())


@pytest.fixture
def boss(db: None) -> Client:
    """A superuser's browser."""
    return browser_of(User.objects.create_superuser("boss", "boss@example.org", "secret"))


@pytest.fixture
def viewer(db: None) -> Client:
    """The browser of staff who may look at everything and change nothing."""
    user = User.objects.create_user("viewer", "viewer@example.org", "secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return browser_of(user)


@pytest.fixture
def nobody(db: None) -> Client:
    """The browser of staff without any permission."""
    return browser_of(User.objects.create_user("nobody", "nobody@example.org", "secret", is_staff=True))


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
