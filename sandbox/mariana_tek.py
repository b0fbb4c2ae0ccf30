"""
Mariana Tek's Admin API for one brand: JSON:API lists, table reports, OAuth.

Confirmed (public clients, vendor guides; see connectors/providers/mariana_tek): paths, Bearer keys and
tokens, 406 for other Accept headers, `page`, `page_size`, `ordering=-id`, `meta.pagination`, filters
ignored without a word, `purchased_items` of one order only, rotating refresh tokens, access tokens of seven
days, both ways of reports with their shapes, signed links, 429 with Retry-After.
Unconfirmed [M]: the limit itself (here `leak_rate` calls a second after a burst of 40), the largest page
(500, cut down in silence), 404 beyond the last page, which lists honour `min_updated_datetime` (here
classes, order lines, locations and employees do not), attributes of `order_lines`, the words of error
bodies, the password grant.
"""

from __future__ import annotations

from typing import Any

from sandbox.mariana_tek_api import (
    CONFIDENTIAL,
    LISTS,
    PASSWORD,
    PREFIX,
    REPORT_SECONDS,
    SECRET,
    USERNAME,
    Brand,
)
from sandbox.mariana_tek_parts import HISTORY_DAYS, REPORTS, parts
from sandbox.mariana_tek_records import recipes
from sandbox.mariana_tek_reports import TABLES
from sandbox.messages import Handler
from sandbox.simulators import Offer, Setting, Simulator


def _routes(setting: Setting) -> dict[str, Handler]:
    brand = Brand(setting.datasets, rate=setting.options.leak_rate, clock=setting.clock)
    return brand.routes()


def _days_of(table: str, **more: Any) -> dict[str, Any]:
    one = TABLES[table]
    days = {
        "first_day_param": one.first_day,
        "last_day_param": one.last_day,
        "days": 31,
        "history_days": HISTORY_DAYS,
    }
    return {"id": one.id, "slug": one.slug, "key": ["customer_id"], **days, **more}


def _offer(url: str) -> Offer:
    return Offer(
        config={
            "brand": "sandbox-studio",
            "base_url": f"{url}{PREFIX}",
            "calls_per_second": 500,
            "burst": 20,
            "poll_seconds": REPORT_SECONDS,
            "reports": {"first_timers": _days_of("317"), "customer_details": _days_of("336", way="sync")},
        },
        datasets={**{name: f"mariana_tek.{name}" for name in LISTS.values()}, **REPORTS},
        credentials={
            "mode": "password",
            "username": USERNAME,
            "password": PASSWORD,
            "client_id": CONFIDENTIAL.client_id,
            "client_secret": SECRET,
        },
        bad_credentials={
            "mode": "password",
            "username": USERNAME,
            "password": "mt-wrong-password",
            "client_id": CONFIDENTIAL.client_id,
            "client_secret": SECRET,
        },
    )


SIMULATOR = Simulator(connector="mariana_tek", recipes=recipes, routes=_routes, offer=_offer, parts=parts)
