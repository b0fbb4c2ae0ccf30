from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from local.servers import PROJECT

RECORDS = 600
ROWS_PER_ORDER = 5  # a raw version, the order, three lines
CASES = ("first", "unchanged")


@pytest.mark.timeout(600)  # a dozen processes start, on a busy machine one after the other
@pytest.mark.django_db
def test_a_small_run_measures_us_and_the_limit_on_the_same_orders(tmp_path: Path) -> None:
    figures = run("--only", ",".join(CASES), "--system", "ours,limit", folder=tmp_path)

    loads = {(load["case"], load["system"]): load for load in figures["loads"]}
    assert {load["records"] for load in loads.values()} == {RECORDS}
    assert loads.keys() >= {(case, system) for case in CASES for system in ("ours", "limit")}
    written = {case: loads[case, "ours"]["written"] for case in CASES}
    assert written["first"] >= RECORDS * ROWS_PER_ORDER
    assert written["unchanged"] == 0
    verdict = {target["what"]: target["is_reached"] for target in figures["targets"]}
    assert verdict["unchanged second load: rows written"]
    assert "first load: ours over limit" in verdict


def run(*options: str, folder: Path) -> Any:
    """Run the benchmark beside the test's database; return what it measured."""
    where = connection.settings_dict
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(where)
    output = folder / "figures.json"
    amounts = ("--records", str(RECORDS), "--repeat", "1", "--json", str(output))
    done = subprocess.run(
        [sys.executable, "-m", "bench", *amounts, *options],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if "No private redis-server" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text())
