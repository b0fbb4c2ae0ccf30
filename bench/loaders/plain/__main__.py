"""Load the orders with Django: `--batch 1` by update_or_create, row by row; more by bulk_create."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Iterator
from itertools import islice
from typing import Any

import django
import environ
from django.conf import settings
from django.db import connection, transaction

from bench.loaders import pages

ORDER = {
    "number": "name",
    "occurred_at": "created_at",
    "source_updated_at": "updated_at",
    "cancelled_at": "cancelled_at",
    "email": "email",
    "status": "financial_status",
    "fulfillment_status": "fulfillment_status",
    "currency": "currency",
    "total_amount": "total_price",
    "subtotal_amount": "subtotal_price",
    "tax_amount": "total_tax",
    "discount_amount": "total_discounts",
}
LINE = {
    "product_external_id": "product_id",
    "variant_external_id": "variant_id",
    "title": "title",
    "sku": "sku",
    "quantity": "quantity",
    "unit_price": "price",
}
Json = dict[str, Any]


def main(given: Namespace) -> int:
    """Load the pages; return how many records there were."""
    records = 0
    orders = islice(_orders(given), given.records)
    while batch := list(islice(orders, given.batch)):
        if given.batch == 1:
            _save_one(batch[0])
        else:
            _save_many(batch)
        records += len(batch)
    return records


def _orders(given: Namespace) -> Iterator[Json]:
    for body, _ in pages.bodies(given.url, token=given.token):
        yield from json.loads(body)["orders"]


def _save_one(order: Json) -> None:
    row, _ = PlainOrder._default_manager.update_or_create(
        external_id=str(order["id"]), defaults=_order_values(order)
    )
    for line in order["line_items"]:
        values = {**_line_values(line), "order": row}
        PlainLine._default_manager.update_or_create(external_id=str(line["id"]), defaults=values)


def _save_many(orders: list[Json]) -> None:
    with transaction.atomic():
        rows = PlainOrder._default_manager.bulk_create(
            [PlainOrder(external_id=str(order["id"]), **_order_values(order)) for order in orders],
            update_conflicts=True,
            unique_fields=["external_id"],
            update_fields=[*ORDER, "customer_external_id", "payload"],
        )
        PlainLine._default_manager.bulk_create(
            [
                PlainLine(external_id=str(line["id"]), order=row, **_line_values(line))
                for row, order in zip(rows, orders, strict=True)
                for line in order["line_items"]
            ],
            update_conflicts=True,
            unique_fields=["external_id"],
            update_fields=[*LINE, "order"],
        )


def _order_values(order: Json) -> Json:
    values = {ours: order[theirs] for ours, theirs in ORDER.items()}
    return {**values, "customer_external_id": str(order["customer"]["id"]), "payload": order}


def _line_values(line: Json) -> Json:
    return {ours: line[theirs] for ours, theirs in LINE.items()}


def _make_tables() -> None:
    """Make what is not there yet: the second load finds the tables of the first."""
    there = connection.introspection.table_names()
    with connection.schema_editor() as editor:
        for model in (PlainOrder, PlainLine):
            if model._meta.db_table not in there:
                editor.create_model(model)


if __name__ == "__main__":
    settings.configure(
        DATABASES={"default": environ.Env.db_url_config(os.environ["DATABASE_URL"])},
        INSTALLED_APPS=["bench.loaders.plain"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    from bench.loaders.plain.models import PlainLine, PlainOrder

    parser = pages.arguments(description=__doc__ or "")
    parser.add_argument("--batch", type=int, default=1000)
    _make_tables()
    pages.report(main, parser.parse_args())
