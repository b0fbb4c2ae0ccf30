"""How the ids of one shop are numbered."""

from __future__ import annotations

CUSTOMER_IDS = 7_000_000_000_000
PRODUCT_IDS = 8_000_000_000_000
VARIANT_IDS = 4_000_000_000_000
ORDER_IDS = 5_000_000_000_000
LINE_IDS = 2_000_000_000_000
ITEM_IDS = 4_500_000_000_000
IMAGE_IDS = 3_000_000_000_000
REFUND_IDS = 9_000_000_000_000
FULFILLMENT_IDS = 9_500_000_000_000
TRANSACTION_IDS = 6_000_000_000_000
LOCATION_IDS = 6_500_000_000_000
#: Ids of one table are not dense in a real shop.
STRIDE = 32_768
MOST_LINES = 5
MOST_VARIANTS = 4
MOST_IMAGES = 3
LOCATIONS = 3
#: What the steps of a payment are called, each with its place among the ids of an order's.
STEPS = {"sale": 0, "authorization": 1, "capture": 2, "refund": 3}


def customer_id(index: int) -> int:
    return CUSTOMER_IDS + index * STRIDE


def product_id(index: int) -> int:
    return PRODUCT_IDS + index * STRIDE


def variant_id(product: int, variant: int) -> int:
    return VARIANT_IDS + product * STRIDE + variant


def item_id(product: int, variant: int) -> int:
    return ITEM_IDS + product * STRIDE + variant


def location_id(index: int) -> int:
    return LOCATION_IDS + index * STRIDE


def transaction_id(order: int, kind: str) -> int:
    return TRANSACTION_IDS + order * STRIDE + STEPS[kind]


def order_id(index: int) -> int:
    return ORDER_IDS + index * STRIDE
