"""A shop's objects as its GraphQL API has them, made of the rows the REST API lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from sandbox.data import Record
from sandbox.shopify_objects import Connection, Node, bag, gid, money_of, times, utc
from sandbox.shopify_steps import transactions

#: REST's word -> GraphQL's, where it is not just in capitals.
_FULFILLMENT = {None: "UNFULFILLED", "partial": "PARTIALLY_FULFILLED", "fulfilled": "FULFILLED"}


def node_of(resource: str, row: bytes) -> Node | None:
    """Return the object a row tells of; None of one that no server could write as JSON."""
    try:
        record = msgspec.json.decode(row)
    except msgspec.DecodeError:
        return None
    return _MAKERS[resource](record)


def _customer(row: Record) -> Node:
    address = row.get("default_address")
    return Node(
        "Customer",
        row.get("id"),
        firstName=row["first_name"],
        lastName=row["last_name"],
        defaultEmailAddress=Node("CustomerEmailAddress", emailAddress=row["email"]),
        defaultPhoneNumber=row.get("phone") and Node("CustomerPhoneNumber", phoneNumber=row["phone"]),
        state=row["state"].upper(),
        note=row["note"],
        tags=_tags(row),
        numberOfOrders=str(row["orders_count"]),
        amountSpent=money_of(row["total_spent"], "USD"),
        defaultAddress=address
        and Node("MailingAddress", company=None, city=address["city"], countryCodeV2=address["country_code"]),
        **times(row),
    )


def _product(row: Record) -> Node:
    return Node(
        "Product",
        row.get("id"),
        title=row["title"],
        handle=row["handle"],
        vendor=row.get("vendor"),
        productType=row["product_type"],
        status=row["status"].upper(),
        tags=_tags(row),
        publishedAt=utc(row["published_at"]),
        variants=Connection(map(_variant, row["variants"])),
        media=Connection(map(_media, row["images"])),
        **times(row),
    )


def _variant(row: Record) -> Node:
    return Node(
        "ProductVariant",
        row["id"],
        title=row["title"],
        sku=row["sku"],
        barcode=row["barcode"],
        price=row["price"],
        position=row["position"],
        inventoryQuantity=row["inventory_quantity"],
        inventoryItem=Node("InventoryItem", row["inventory_item_id"]),
        createdAt=utc(row["updated_at"]),
        updatedAt=utc(row["updated_at"]),
    )


def _media(row: Record) -> Node:
    return Node(
        "MediaImage",
        row["id"] + 7,
        alt=row["alt"],
        image=Node("Image", url=row["src"], width=row["width"], height=row["height"]),
        **times(row),
    )


def _order(row: Record) -> Node:
    currency = row["currency"]
    customer = row["customer"]
    return Node(
        "Order",
        row.get("id"),
        name=row["name"],
        email=row["email"],
        note=row["note"],
        tags=_tags(row),
        test=False,
        processedAt=utc(row["processed_at"]),
        closedAt=utc(row["closed_at"]),
        cancelledAt=utc(row["cancelled_at"]),
        currencyCode=currency,
        displayFinancialStatus=row["financial_status"].upper(),
        displayFulfillmentStatus=_FULFILLMENT[row.get("fulfillment_status")],
        customer=customer and Node("Customer", customer["id"]),
        totalPriceSet=bag(row["total_price"], currency),
        subtotalPriceSet=bag(row["subtotal_price"], currency),
        totalTaxSet=bag(row["total_tax"], currency),
        totalDiscountsSet=bag(row["total_discounts"], currency),
        lineItems=Connection(_line(line, currency) for line in row["line_items"]),
        transactions=[_transaction(one) for one in _steps(row)],
        refunds=[_refund(one, currency) for one in row.get("refunds", ())],
        fulfillments=[_fulfillment(one) for one in row.get("fulfillments", ())],
        **times(row),
    )


def _steps(row: Record) -> Iterable[Record]:
    is_readable = isinstance(row.get("id"), int) and not isinstance(row["total_price"], dict)
    return transactions(row) if is_readable else ()


def _line(row: Record, currency: str) -> Node:
    whole, _, cents = row["price"].partition(".")
    total = int(whole + cents) * row["quantity"]
    return Node(
        "LineItem",
        row["id"],
        title=row["title"],
        sku=row["sku"],
        quantity=row["quantity"],
        product=Node("Product", row["product_id"]),
        variant=Node("ProductVariant", row["variant_id"]),
        originalUnitPriceSet=bag(row["price"], currency),
        discountedTotalSet=bag(f"{total // 100}.{total % 100:02d}", currency),
    )


def _transaction(row: Record) -> Node:
    return Node(
        "OrderTransaction",
        row["id"],
        kind=row["kind"].upper(),
        status=row["status"].upper(),
        gateway=row["gateway"],
        authorizationCode=row["authorization"],
        createdAt=utc(row["created_at"]),
        processedAt=utc(row["processed_at"]),
        amountSet=bag(row["amount"], row["currency"]),
        parentTransaction=row["parent_id"] and Node("OrderTransaction", row["parent_id"]),
    )


def _refund(row: Record, currency: str) -> Node:
    [paid_back] = row["transactions"]
    created = utc(row["created_at"])
    return Node(
        "Refund",
        row["id"],
        note=row["note"],
        createdAt=created,
        updatedAt=created,
        totalRefundedSet=bag(paid_back["amount"], currency),
    )


def _fulfillment(row: Record) -> Node:
    tracking = Node(
        "FulfillmentTrackingInfo",
        company=row["tracking_company"],
        number=row["tracking_number"],
        url=row["tracking_url"],
    )
    return Node(
        "Fulfillment",
        row["id"],
        status=row["status"].upper(),
        location=Node("Location", row["location_id"]),
        trackingInfo=[tracking],
        **times(row),
    )


def _item(row: Record) -> Node:
    return Node(
        "InventoryItem",
        row.get("id"),
        sku=row["sku"],
        tracked=row.get("tracked"),
        countryCodeOfOrigin=row["country_code_of_origin"],
        unitCost=money_of(row["cost"], "USD"),
        **times(row),
    )


def _level(row: Record) -> Node:
    available = row["available"]
    counts = {"available": available, "committed": 2, "incoming": 0}
    counts["on_hand"] = available + 2 if isinstance(available, int) else available
    level = gid("InventoryLevel", row["location_id"] + row["inventory_item_id"])
    return Node(
        "InventoryLevel",
        id=f"{level}?inventory_item_id={row['inventory_item_id']}",
        updatedAt=utc(row["updated_at"]),
        item=Node("InventoryItem", row["inventory_item_id"]),
        location=Node("Location", row["location_id"]),
        quantities=[Node("InventoryQuantity", name=name, quantity=count) for name, count in counts.items()],
    )


def _location(row: Record) -> Node:
    address = Node(
        "LocationAddress",
        address1=row["address1"],
        address2=row["address2"],
        city=row["city"],
        province=row["province"],
        provinceCode=row["province_code"],
        zip=row["zip"],
        countryCode=row["country_code"],
        phone=row.get("phone"),
    )
    return Node(
        "Location", row.get("id"), name=row["name"], isActive=row["active"], address=address, **times(row)
    )


def _payout(row: Record) -> Node:
    return Node(
        "ShopifyPaymentsPayout",
        row.get("id"),
        issuedAt=f"{row['date']}T00:00:00Z",
        status=row["status"].upper(),
        transactionType="DEPOSIT",
        net=money_of(row["amount"], row.get("currency")),
    )


def _balance_transaction(row: Record) -> Node:
    currency = row["currency"]
    return Node(
        "ShopifyPaymentsBalanceTransaction",
        row.get("id"),
        type=row["type"].upper(),
        test=row["test"],
        transactionDate=utc(row["processed_at"]),
        amount=money_of(row["amount"], currency),
        fee=money_of(row["fee"], currency),
        net=money_of(row["net"], currency),
        sourceId=str(row["source_id"]),
        sourceType=row.get("source_type", "").upper(),
        sourceOrderTransactionId=row["source_order_transaction_id"]
        and str(row["source_order_transaction_id"]),
        associatedPayout=Node(
            "ShopifyPaymentsAssociatedPayout",
            id=gid("ShopifyPaymentsPayout", row["payout_id"]),
            status=row["payout_status"].upper(),
        ),
        associatedOrder=row["source_order_id"] and Node("Order", row["source_order_id"]),
    )


def _dispute(row: Record) -> Node:
    return Node(
        "ShopifyPaymentsDispute",
        row.get("id"),
        type=row["type"].upper(),
        status=row["status"].upper(),
        initiatedAt=utc(row["initiated_at"]),
        evidenceDueBy=utc(row["evidence_due_by"]),
        amount=money_of(row["amount"], row["currency"]),
        reasonDetails=Node("ShopifyPaymentsDisputeReasonDetails", reason=row["reason"].upper()),
        order=row["order_id"] and Node("Order", row["order_id"]),
    )


def _tags(row: Record) -> list[str]:
    return [tag for tag in row["tags"].split(", ") if tag]


_MAKERS: Mapping[str, Callable[[Record], Node]] = {
    "customers": _customer,
    "products": _product,
    "orders": _order,
    "inventory_items": _item,
    "inventory_levels": _level,
    "locations": _location,
    "payouts": _payout,
    "balance_transactions": _balance_transaction,
    "disputes": _dispute,
}
