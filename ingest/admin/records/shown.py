"""What a row of each kind shows, in its own list and in the panels of others."""

from __future__ import annotations

from ingest.admin.records.base import count, money, text

ORDER = (text("number"), text("status"), money("total_amount", "Total"))
ORDER_LINE = (
    text("title"),
    text("sku", "SKU"),
    count("quantity", "Quantity"),
    money("unit_price", "Unit price"),
)
VARIANT = (
    text("title"),
    text("sku", "SKU"),
    money("price", "Price"),
    text("inventory_quantity", "In stock"),
)
IMAGE = (text("position"), text("alt"), text("url", "URL"))
FULFILLMENT = (text("status"), text("carrier"), text("tracking_number"))
LEVEL = (count("available", "Available"), count("on_hand", "On hand"), count("committed", "Committed"))
PRICE = (text("title"), text("type"), money("amount", "Amount"), text("interval"))
PAYMENT = (text("type"), text("status"), text("method"), money("amount", "Amount"))
REFUND = (text("status"), text("reason"), money("amount", "Amount"))
DISPUTE = REFUND
PAYOUT = (text("status"), text("method"), money("amount", "Amount"), text("arrives_at", "Arrives"))
BALANCE_TRANSACTION = (
    text("type"),
    money("amount", "Amount"),
    money("fee_amount", "Fee"),
    money("net_amount", "Net"),
)
SUBSCRIPTION = (text("status"), money("amount", "Amount"), text("interval"), text("period_ends_at", "Until"))
INVOICE = (
    text("number"),
    text("status"),
    money("total_amount", "Total"),
    money("due_amount", "Due"),
)
INVOICE_LINE = (text("title"), count("quantity", "Quantity"), money("total_amount", "Total"))
BILL = INVOICE
COMPANY = (text("name"), text("domain"), text("country"), text("status"))
DEAL = (text("title"), text("stage"), money("amount", "Amount"))
TICKET = (text("title"), text("stage"), text("priority"))
CUSTOMER = (text("name"), text("email", "E-mail"), text("country"))
CLASS_SESSION = (text("title"), text("class_type", "Type"), text("instructor"), text("status"))
MEMBERSHIP = (text("title"), text("status"), text("starts_at", "From"), text("ends_at", "To"))
RESERVATION = (text("status"), text("type"), text("booking_source"))
