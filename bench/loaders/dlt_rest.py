"""
dlt's rest_api source into PostgreSQL, merged by id; run in dlt's own environment, it imports nothing of ours.

`--tuned` is what its documentation offers for speed: CSV files for COPY, upsert instead of delete and
insert, two workers, and one flat table with the lines left as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TUNED = {"NORMALIZE__WORKERS": "2", "LOAD__WORKERS": "2"}


def main() -> None:
    given = _arguments()
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    if given.tuned:
        os.environ |= TUNED
    import dlt  # type: ignore[import-not-found]  # noqa: PLC0415 - it reads the environment

    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.postgres(os.environ["DATABASE_URL"]),
        dataset_name="orders",
        pipelines_dir=given.folder,
    )
    began = time.perf_counter()
    pipeline.run(_source(given), loader_file_format="csv" if given.tuned else None)
    seconds = time.perf_counter() - began
    report = {"records": _extracted(pipeline), "seconds": seconds, "peak_bytes": _peak()}
    sys.stdout.write(json.dumps(report) + "\n")


def _extracted(pipeline: Any) -> int:
    # Not the count of the step after it, which is wrong where the files are CSV.
    steps = pipeline.last_trace.last_extract_info.metrics.values()
    parts = [part["resource_metrics"] for step in steps for part in step]
    return sum(part["orders"].items_count for part in parts if "orders" in part)


def _source(given: argparse.Namespace) -> Any:
    from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found]  # noqa: PLC0415

    address = urlsplit(given.url)
    base, _, path = address.path.rpartition("/")
    disposition = {"disposition": "merge", "strategy": "upsert"} if given.tuned else "merge"
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{address.scheme}://{address.netloc}{base}/",
                "headers": {"X-Shopify-Access-Token": given.token},
                "paginator": {"type": "header_link"},
            },
            "resources": [
                {
                    "name": "orders",
                    "primary_key": "id",
                    "write_disposition": disposition,
                    "endpoint": {
                        "path": path,
                        "params": dict(parse_qsl(address.query)),
                        "data_selector": "orders",
                    },
                }
            ],
        },
        max_table_nesting=0 if given.tuned else None,
    )
    return source.add_limit(given.pages) if given.pages else source


def _peak() -> int:
    """Return the most memory of this process and its largest child, in bytes."""
    people = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return 1024 * sum(resource.getrusage(who).ru_maxrss for who in people)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="the first page of the orders")
    parser.add_argument("--token", required=True)
    parser.add_argument("--pages", type=int, help="stop after this many")
    parser.add_argument("--folder", required=True, help="where dlt keeps its state between loads")
    parser.add_argument("--tuned", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
