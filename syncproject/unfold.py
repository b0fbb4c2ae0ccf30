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
]
_RECORDS = [
    _list_of("ingest", "customer", "Customers", "group"),
    _list_of("ingest", "order", "Orders", "shopping_cart"),
    _list_of("ingest", "orderline", "Order lines", "list_alt"),
    _list_of("ingest", "product", "Products", "inventory_2"),
    _list_of("ingest", "productvariant", "Product variants", "style"),
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
            {"title": "Records", "separator": True, "items": _RECORDS},
            {"title": "Metrics", "separator": True, "items": _METRICS},
            {"title": "Users", "separator": True, "items": _USERS},
        ],
    },
}
