"""Which streams a source offers: the lists of the API, and a stream for each report it is told of."""

from __future__ import annotations

from functools import partial

from connectors.base import Stream
from connectors.errors import ConfigError
from connectors.providers.mariana_tek.listing import Listing
from connectors.providers.mariana_tek.report_rows import refines_of
from connectors.providers.mariana_tek.settings import MarianaTekConfig, TableReport
from connectors.providers.mariana_tek.shop import (
    refine_order,
    refine_order_line,
    refine_product,
    refine_user,
)
from connectors.providers.mariana_tek.studio import (
    refine_class_session,
    refine_employee,
    refine_location,
    refine_membership,
    refine_reservation,
)

PAGE_SIZE = 100
#: By the stream's name.
LISTS = {
    "locations": Listing(path="locations", is_long=False),
    "employees": Listing(path="employee_public_profiles", is_long=False),
    "products": Listing(path="products"),
    "users": Listing(path="users"),
    "class_sessions": Listing(path="class_sessions", day_param="min_date", day_attribute="start_date"),
    "memberships": Listing(path="membership_instances"),
    "reservations": Listing(path="reservations", is_newest_first=True),
    "orders": Listing(
        path="orders", is_newest_first=True, day_param="min_datetime", day_attribute="date_placed"
    ),
    "order_lines": Listing(path="order_lines", is_newest_first=True),
}
#: The stream whose rows a report of that shape brings, too; both would count them twice.
REPLACED = {"sales": "order_lines", "reservations": "reservations"}


def offered(config: MarianaTekConfig) -> tuple[Stream, ...]:
    """:raises ConfigError: if a report has the name of another stream, or two bring the same rows"""
    shapes = [report.shape for report in config.reports.values() if report.shape in REPLACED]
    if len(set(shapes)) < len(shapes):
        raise ConfigError("mariana_tek config: two reports of one shape would count the same rows twice")
    replaced = {REPLACED[shape] for shape in shapes}
    listed = [stream for stream in _listed(config) if stream.name not in replaced]
    taken = sorted({stream.name for stream in listed} & set(config.reports))
    if taken:
        raise ConfigError(f"mariana_tek config: reports: {', '.join(taken)} is the name of another stream")
    return (*listed, *(_reported(name, report, config) for name, report in config.reports.items()))


def _listed(config: MarianaTekConfig) -> list[Stream]:
    refines = (
        ("locations", "location", refine_location),
        ("employees", "employee", refine_employee),
        ("products", "product", refine_product),
        ("users", "customer", refine_user),
        ("class_sessions", "class_session", partial(refine_class_session, class_types=config.class_types)),
        ("memberships", "membership", refine_membership),
        ("reservations", "reservation", partial(refine_reservation, partners=config.partners)),
        ("orders", "order", refine_order),
        ("order_lines", "order_line", refine_order_line),
    )
    return [
        Stream(name=name, kind=kind, refine=refine, page_size=PAGE_SIZE, is_safely_resumable=False)
        for name, kind, refine in refines
    ]


def _reported(name: str, report: TableReport, config: MarianaTekConfig) -> Stream:
    kind, refine = refines_of(config.partners)[report.shape]
    return Stream(
        name=name,
        kind=kind,
        refine=refine,
        page_size=500,
        default_schedule="every 6h",
        key=report.keys,
        ways=("report",) if report.way == "async" else ("poll",),
    )
