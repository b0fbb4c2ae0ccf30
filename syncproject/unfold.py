"""The look of the admin and its sidebar; settings take UNFOLD from here."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _stylesheet(request: HttpRequest) -> str:
    return static("ingest/admin.css")


def _live_script(request: HttpRequest) -> str:
    return static("ingest/live.js")


def _list_of(app: str, model: str, title: str, icon: str) -> dict[str, Any]:
    def may_view(request: HttpRequest) -> bool:
        verbs = ("view", "change")
        return any(request.user.has_perm(f"{app}.{verb}_{model}") for verb in verbs)

    link = reverse_lazy(f"admin:{app}_{model}_changelist")
    return {"title": title, "icon": icon, "link": link, "permission": may_view}


_SYNC = [
    {"title": "Dashboard", "icon": "dashboard", "link": reverse_lazy("admin:index")},
    _list_of("ingest", "source", "Sources", "hub"),
    _list_of("ingest", "collectionjob", "Jobs", "sync"),
    _list_of("ingest", "failedsync", "Dead letters", "report"),
    _list_of("ingest", "reportrun", "Reports", "summarize"),
    _list_of("ingest", "fieldchange", "Field changes", "difference"),
]
_SHOP = [
    _list_of("ingest", "customer", "Customers", "group"),
    _list_of("ingest", "order", "Orders", "shopping_cart"),
    _list_of("ingest", "orderline", "Order lines", "list_alt"),
    _list_of("ingest", "fulfillment", "Fulfillments", "local_shipping"),
    _list_of("ingest", "product", "Products", "inventory_2"),
    _list_of("ingest", "productvariant", "Product variants", "style"),
    _list_of("ingest", "productimage", "Product images", "image"),
    _list_of("ingest", "inventoryitem", "Inventory items", "inventory"),
    _list_of("ingest", "inventorylevel", "Inventory levels", "warehouse"),
    _list_of("ingest", "location", "Locations", "location_on"),
]
_MONEY = [
    _list_of("ingest", "payment", "Payments", "credit_card"),
    _list_of("ingest", "refund", "Refunds", "undo"),
    _list_of("ingest", "dispute", "Disputes", "gavel"),
    _list_of("ingest", "payout", "Payouts", "account_balance"),
    _list_of("ingest", "balancetransaction", "Balance transactions", "swap_vert"),
    _list_of("ingest", "price", "Prices", "sell"),
    _list_of("ingest", "subscription", "Subscriptions", "autorenew"),
]
_BOOKS = [
    _list_of("ingest", "invoice", "Invoices", "receipt_long"),
    _list_of("ingest", "invoiceline", "Invoice lines", "receipt"),
    _list_of("ingest", "vendor", "Vendors", "storefront"),
    _list_of("ingest", "bill", "Bills", "request_quote"),
    _list_of("ingest", "account", "Accounts", "menu_book"),
]
_RELATIONS = [
    _list_of("ingest", "company", "Companies", "business"),
    _list_of("ingest", "deal", "Deals", "handshake"),
    _list_of("ingest", "ticket", "Tickets", "confirmation_number"),
    _list_of("ingest", "employee", "Employees", "badge"),
]
_STUDIO = [
    _list_of("ingest", "classsession", "Class sessions", "event"),
    _list_of("ingest", "reservation", "Reservations", "event_available"),
    _list_of("ingest", "membership", "Memberships", "card_membership"),
]
_OTHER = [
    _list_of("ingest", "contentitem", "Content items", "article"),
    _list_of("ingest", "catalogitem", "Catalog items", "category"),
    _list_of("ingest", "genericrecord", "Other records", "data_object"),
    _list_of("ingest", "rawrecord", "Raw versions", "history"),
]
_METRICS = [
    _list_of("metrics", "dailymetric", "Per day", "bar_chart"),
    _list_of("metrics", "dailyrevenue", "Revenue per day", "payments"),
]
_USERS = [
    _list_of("auth", "user", "Users", "person"),
    _list_of("auth", "group", "Groups", "groups"),
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Sync",
    "SITE_HEADER": "Sync",
    "SITE_SYMBOL": "sync",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "syncproject.dashboard.fill",
    "STYLES": [_stylesheet],
    "SCRIPTS": [_live_script],
    "COLORS": {
        "primary": {
            "50": "#eef2ff",
            "100": "#e0e7ff",
            "200": "#c7d2fe",
            "300": "#a5b4fc",
            "400": "#818cf8",
            "500": "#6366f1",
            "600": "#4f46e5",
            "700": "#4338ca",
            "800": "#3730a3",
            "900": "#312e81",
            "950": "#1e1b4b",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {"title": "Sync", "items": _SYNC},
            {"title": "Shop", "separator": True, "collapsible": True, "items": _SHOP},
            {"title": "Money", "collapsible": True, "items": _MONEY},
            {"title": "Bookkeeping", "collapsible": True, "items": _BOOKS},
            {"title": "Customer relations", "collapsible": True, "items": _RELATIONS},
            {"title": "Studio", "collapsible": True, "items": _STUDIO},
            {"title": "Other records", "collapsible": True, "items": _OTHER},
            {"title": "Metrics", "separator": True, "items": _METRICS},
            {"title": "Users", "separator": True, "items": _USERS},
        ],
    },
}
