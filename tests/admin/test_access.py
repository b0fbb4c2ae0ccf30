from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from ingest.models import CollectionJob, FailedSync, Source
from tests.admin.conftest import browser_of
from tests.admin.pages import detail_of, list_of, our_models, verb_of
from tests.admin.shop import Shop

VERBS = [
    (Source, "sync"),
    (Source, "full"),
    (Source, "pause"),
    (Source, "resume"),
    (Source, "test"),
    (CollectionJob, "cancel"),
    (CollectionJob, "again"),
    (CollectionJob, "accept"),
    (FailedSync, "replay"),
    (FailedSync, "resolve"),
]


def every_address(shop: Shop) -> list[str]:
    lists = [list_of(model) for model in admin.site._registry]
    details = [detail_of(row) for row in shop.rows]
    histories = [
        reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_history", args=[row.pk])
        for row in shop.rows
    ]
    return [reverse("admin:index"), reverse("admin:ingest_collectionjob_live"), *lists, *details, *histories]


def row_of(shop: Shop, model: type[Model]) -> Model:
    return {Source: shop.source, CollectionJob: shop.live, FailedSync: shop.letter}[model]


def test_the_shop_has_a_row_of_every_model_with_a_page(shop: Shop) -> None:
    assert {type(row) for row in shop.rows} == set(our_models())


def test_a_superuser_reaches_every_page(shop: Shop, boss: Client) -> None:
    statuses = {address: boss.get(address).status_code for address in every_address(shop)}
    assert set(statuses.values()) == {200}, statuses
    assert boss.get(reverse("admin:ingest_source_add")).status_code == 200


def test_staff_who_may_look_reach_every_page_of_the_sync(shop: Shop, viewer: Client) -> None:
    statuses = {address: viewer.get(address).status_code for address in every_address(shop)}
    assert set(statuses.values()) == {200}, statuses


def test_anonymous_visitors_are_sent_to_the_login(shop: Shop, client: Client) -> None:
    for address in every_address(shop):
        answer = client.get(address)
        assert answer.status_code == 302, address
        assert "/login/" in answer["Location"]


def test_staff_without_permissions_see_no_data(shop: Shop, nobody: Client) -> None:
    for address in every_address(shop)[1:]:
        assert nobody.get(address).status_code == 403, address
    assert shop.source.name not in nobody.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize(("model", "verb"), VERBS)
def test_a_verb_is_refused_to_staff_who_may_only_look(
    shop: Shop, viewer: Client, model: type[Model], verb: str
) -> None:
    assert viewer.post(verb_of(row_of(shop, model), verb)).status_code == 403


@pytest.mark.parametrize(("model", "verb"), VERBS)
def test_a_verb_is_no_link(shop: Shop, boss: Client, model: type[Model], verb: str) -> None:
    assert boss.get(verb_of(row_of(shop, model), verb)).status_code == 405


@pytest.mark.parametrize(("model", "verb"), VERBS)
def test_a_verb_needs_the_form_it_came_from(shop: Shop, model: type[Model], verb: str) -> None:
    user = User.objects.create_superuser("careful")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(verb_of(row_of(shop, model), verb)).status_code == 403


def test_who_is_refused_reads_what_to_do(shop: Shop, viewer: Client, nobody: Client) -> None:
    refused = viewer.post(verb_of(shop.source, "sync")).content.decode()
    assert "You are logged in as viewer." in refused
    assert "ask an administrator for the permission" in refused
    gone = nobody.get("/admin/<b>nowhere</b>/")
    assert gone.status_code == 404
    assert "There is nothing at /admin/&lt;b&gt;nowhere" in gone.content.decode()


@pytest.mark.parametrize("model", [Source, CollectionJob, FailedSync])
def test_lists_refuse_actions_of_staff_who_may_only_look(
    shop: Shop, viewer: Client, model: type[Model]
) -> None:
    row = row_of(shop, model)
    answer = viewer.post(list_of(model), {"action": "pause", "_selected_action": [row.pk]})
    assert answer.status_code == 403
    assert not Source.objects.filter(is_paused=True).exists()


@pytest.mark.parametrize("model", [Source, CollectionJob, FailedSync])
def test_staff_who_may_only_look_see_no_buttons(
    shop: Shop, viewer: Client, boss: Client, model: type[Model]
) -> None:
    address = detail_of(row_of(shop, model))
    assert "/do/" in boss.get(address).content.decode()
    assert "/do/" not in viewer.get(address).content.decode()


def test_staff_who_may_change_jobs_may_cancel_one(shop: Shop) -> None:
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_collectionjob"))
    operator = browser_of(user)
    assert operator.get(list_of(CollectionJob)).status_code == 200
    assert operator.post(verb_of(shop.live, "cancel")).status_code == 302
    assert CollectionJob.objects.get(pk=shop.live.pk).cancel_requested
    assert operator.post(verb_of(shop.source, "pause")).status_code == 403


def test_nothing_can_be_added_or_deleted_by_hand(shop: Shop, boss: Client) -> None:
    for row in shop.rows:
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        assert boss.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        if not isinstance(row, Source):
            assert boss.get(reverse(f"{name}_add")).status_code == 403
            assert boss.post(detail_of(row), {}).status_code == 403


def test_what_staff_did_is_in_the_history(shop: Shop, boss: Client) -> None:
    boss.post(verb_of(shop.source, "pause"))
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_repr, entry.change_message) == ("boss", "shopify-eu", "Pause")


def test_users_and_groups_have_their_pages(boss: Client) -> None:
    group = Group.objects.create(name="operators")
    user = User.objects.get(username="boss")
    for address in (detail_of(group), detail_of(user), reverse("admin:auth_user_add")):
        assert boss.get(address).status_code == 200
    password = reverse("admin:auth_user_password_change", args=[user.pk])
    assert boss.get(password).status_code == 200


def test_a_page_of_a_row_that_is_gone_leads_back_with_a_message(boss: Client) -> None:
    answer = boss.post(reverse("admin:ingest_collectionjob_do", args=[987654, "cancel"]), follow=True)
    assert "exist. Perhaps it was deleted?" in answer.content.decode()
