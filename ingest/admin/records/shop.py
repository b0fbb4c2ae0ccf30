"""Pages of a shop's kinds."""

from __future__ import annotations

from django.contrib import admin

from ingest.admin.records import shown
from ingest.admin.records.base import RefinedAdmin, Related, money, target, text
from ingest.models import (
    Customer,
    Deal,
    Dispute,
    Fulfillment,
    InventoryItem,
    InventoryLevel,
    Invoice,
    Location,
    Membership,
    Order,
    OrderLine,
    Payment,
    Price,
    Product,
    ProductImage,
    ProductVariant,
    Refund,
    Reservation,
    Subscription,
    Ticket,
)


@admin.register(Location)
class LocationAdmin(RefinedAdmin):
    columns = (text("name"), text("city"), text("country"), text("is_active", "Active"))
    related = (
        Related(
            title="Stock",
            model=InventoryLevel,
            by="location",
            columns=(*shown.LEVEL, target("inventory_item")),
        ),
    )


@admin.register(Customer)
class CustomerAdmin(RefinedAdmin):
    columns = (*shown.CUSTOMER, text("status"), target("company"))
    related = (
        Related(title="Orders", model=Order, by="customer", columns=shown.ORDER),
        Related(title="Payments", model=Payment, by="customer", columns=shown.PAYMENT),
        Related(title="Subscriptions", model=Subscription, by="customer", columns=shown.SUBSCRIPTION),
        Related(title="Invoices", model=Invoice, by="customer", columns=shown.INVOICE),
        Related(title="Memberships", model=Membership, by="customer", columns=shown.MEMBERSHIP),
        Related(title="Reservations", model=Reservation, by="customer", columns=shown.RESERVATION),
        Related(title="Deals", model=Deal, by="customer", columns=shown.DEAL),
        Related(title="Tickets", model=Ticket, by="customer", columns=shown.TICKET),
    )


@admin.register(Product)
class ProductAdmin(RefinedAdmin):
    columns = (text("title"), text("vendor"), text("product_type", "Type"), text("status"))
    related = (
        Related(title="Variants", model=ProductVariant, by="product", columns=shown.VARIANT),
        Related(title="Prices", model=Price, by="product", columns=shown.PRICE),
        Related(title="Images", model=ProductImage, by="product", columns=shown.IMAGE),
    )


@admin.register(ProductVariant)
class ProductVariantAdmin(RefinedAdmin):
    columns = (*shown.VARIANT, target("product"), target("inventory_item"))


@admin.register(ProductImage)
class ProductImageAdmin(RefinedAdmin):
    columns = (*shown.IMAGE, target("product"))


@admin.register(InventoryItem)
class InventoryItemAdmin(RefinedAdmin):
    columns = (text("sku", "SKU"), money("cost", "Cost"), text("is_tracked", "Tracked"))
    related = (
        Related(
            title="Stock",
            model=InventoryLevel,
            by="inventory_item",
            columns=(*shown.LEVEL, target("location")),
        ),
        Related(title="Variants", model=ProductVariant, by="inventory_item", columns=shown.VARIANT),
    )


@admin.register(InventoryLevel)
class InventoryLevelAdmin(RefinedAdmin):
    columns = (*shown.LEVEL, target("inventory_item"), target("location"))


@admin.register(Order)
class OrderAdmin(RefinedAdmin):
    columns = (*shown.ORDER, text("email", "E-mail"), target("customer"))
    related = (
        Related(title="Lines", model=OrderLine, by="order", columns=(*shown.ORDER_LINE, target("variant"))),
        Related(title="Payments", model=Payment, by="order", columns=shown.PAYMENT),
        Related(title="Refunds", model=Refund, by="order", columns=shown.REFUND),
        Related(title="Disputes", model=Dispute, by="order", columns=shown.DISPUTE),
        Related(title="Fulfillments", model=Fulfillment, by="order", columns=shown.FULFILLMENT),
    )


@admin.register(OrderLine)
class OrderLineAdmin(RefinedAdmin):
    columns = (*shown.ORDER_LINE, target("order"), target("product"))


@admin.register(Fulfillment)
class FulfillmentAdmin(RefinedAdmin):
    columns = (*shown.FULFILLMENT, target("order"), target("location"))
