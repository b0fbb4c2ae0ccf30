"""What becomes of an order: the steps of its payment, refunds, parcels."""

from __future__ import annotations

from decimal import Decimal

from sandbox.data import Record
from sandbox.shopify_ids import (
    FULFILLMENT_IDS,
    LOCATIONS,
    ORDER_IDS,
    REFUND_IDS,
    STRIDE,
    location_id,
    transaction_id,
)


def refunds(order: Record) -> list[Record]:
    index, paid_back = order_index(order), [one for one in transactions(order) if one["kind"] == "refund"]
    return [
        {
            "id": REFUND_IDS + index * STRIDE,
            "order_id": order["id"],
            "created_at": order["updated_at"],
            "note": "it broke on the way" if index % 2 else None,
            "refund_line_items": [],
            "transactions": [one],
        }
        for one in paid_back
    ]


def fulfillments(order: Record) -> list[Record]:
    index = order_index(order)
    if order["fulfillment_status"] is None:
        return []
    return [
        {
            "id": FULFILLMENT_IDS + index * STRIDE,
            "order_id": order["id"],
            "location_id": location_id(index % LOCATIONS),
            "status": "success",
            "tracking_company": "Slow Parcel",
            "tracking_number": f"SP{index:09d}",
            "tracking_url": f"https://parcel.example/{index:09d}",
            "created_at": order["created_at"],
            "updated_at": order["updated_at"],
        }
    ]


def order_index(order: Record) -> int:
    return int(order["id"] - ORDER_IDS) // STRIDE


def transactions(order: Record) -> list[Record]:
    """Return the steps of an order's payment; the order may be one that came from outside."""
    index, total = order_index(order), Decimal(str(order["total_price"]))
    steps: tuple[str, ...] = {
        "paid": ("authorization", "capture") if index % 3 == 0 else ("sale",),
        "authorized": ("authorization",),
        "refunded": ("sale", "refund"),
        "partially_refunded": ("sale", "refund"),
    }.get(order["financial_status"], ())
    half = (total / 2).quantize(Decimal("0.01"))
    return [
        {
            "id": transaction_id(index, kind),
            "order_id": order["id"],
            "kind": kind,
            "status": "success",
            "gateway": "shopify_payments",
            "authorization": f"auth-{index}",
            "parent_id": transaction_id(index, steps[0]) if number else None,
            "amount": str(half if kind == "refund" and order["financial_status"] != "refunded" else total),
            "currency": order["currency"],
            "test": False,
            "created_at": order["created_at"],
            "processed_at": order["created_at"],
        }
        for number, kind in enumerate(steps)
    ]
