"""Recorded data of three providers in the tables: each record a row, or a dead letter that says why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors import connect, exact_json
from connectors.base import Access, SourceRecord, Stream
from ingest import jobs
from ingest.connecting import lay_out_streams
from ingest.models import CollectionJob, FailedSync, Source
from tests.conftest import finish
from tests.samples.test_hubspot import ODD_TIMES, listed_companies, seed
from tests.samples.test_recorded_stripe import STREAMS, recorded
from tests.samples.test_shopify import BODIES, body
from tests.scripted import Script

pytestmark = pytest.mark.django_db

Records = Sequence[tuple[str, Mapping[str, Any]]]


#: Objects of Stripe's that no stream lists: most come inside others, or are only ways to make one.
OTHERS = {
    "payment_method": 36,
    "subscription_item": 8,
    "invoice_payment": 7,
    "plan": 3,
    "checkout.session": 2,
    "invoiceitem": 2,
    "transfer": 1,
    "credit_note": 1,
    "credit_note_line_item": 1,
    "discount": 1,
    "coupon": 1,
}


def landed(script: Script, streams: Mapping[Stream, Records]) -> dict[str, CollectionJob]:
    """Run each stream's recorded records through landing and refining; return its job."""
    script.streams = tuple(streams)
    for stream, records in streams.items():
        # In one page: recordings list the same page again, which a run takes for a loop.
        script.says(
            stream.name, [SourceRecord(body=exact_json.dumps(one), external_id=of) for of, one in records]
        )
    source = Source.objects.create(name="recorded", connector="scripted")
    return {
        stream.name: finish(jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND)[0], turns=200)
        for stream in lay_out_streams(source)
    }


def counted(ended: Mapping[str, CollectionJob]) -> dict[str, tuple[int, int, int]]:
    """Return of each stream how many states came, how many records they are, how many dead letters."""
    assert {job.error for job in ended.values()} == {""}
    return {name: (job.fetched, job.inserted, job.failed) for name, job in ended.items()}


def offered(connector: str, config: dict[str, Any], credentials: dict[str, str]) -> dict[str, Stream]:
    room = connect(connector, config=config, credentials=credentials, access=Access())
    return {stream.name: stream for stream in room.streams()}


def test_stripe_s_305_states_are_232_objects_of_which_169_are_ours(samples: Path, script: Script) -> None:
    states = recorded(samples)
    objects = Counter((one["object"], one["id"]) for one in states)
    assert (len(states), len(objects)) == (305, 232)
    assert sum(seen > 1 for seen in objects.values()) == 66
    streams = offered("stripe", {}, {"secret_key": "rk_test_1"})
    ours = {
        streams[stream]: [(one["id"], one) for one in states if one["object"] == name]
        for name, stream in STREAMS.items()
    }
    ended = landed(script, {stream: records for stream, records in ours.items() if records})
    assert counted(ended) == {
        "customers": (125, 79, 0),
        "prices": (5, 4, 0),
        "subscriptions": (12, 8, 0),
        "invoices": (34, 21, 0),
        "invoice_lines": (21, 21, 0),
        "payment_intents": (19, 14, 0),
        "charges": (14, 13, 0),
        "refunds": (2, 2, 0),
        "balance_transactions": (7, 7, 0),
    }
    assert not FailedSync.objects.exists()
    assert Counter(name for name, _ in objects if name not in STREAMS) == OTHERS


def test_hubspot_s_442_entries_are_234_companies(samples: Path, script: Script) -> None:
    streams = offered("hubspot", {}, {"access_token": "pat-na1-x"})
    entries = [(str(one["companyId"]), one) for one in listed_companies(samples)]
    ended = landed(script, {streams["companies"]: entries})
    assert counted(ended) == {"companies": (442, 234, 0)}


def test_hubspot_s_odd_times_are_dead_letters_that_name_them(samples: Path, script: Script) -> None:
    streams = offered("hubspot", {}, {"access_token": "pat-na1-x"})
    rows = [(one["id"], one) for one in seed(samples, "company_data", "id")]
    ended = landed(script, {streams["companies"]: rows})
    assert counted(ended) == {"companies": (24, 21, 3)}
    said = dict(FailedSync.objects.values_list("external_id", "error"))
    assert said.keys() == ODD_TIMES.keys()
    assert [one for one in ODD_TIMES if ODD_TIMES[one] not in said[one]] == []


def test_shopify_s_bodies_are_rows(samples: Path, script: Script) -> None:
    config = {"shop": "a-shop.myshopify.com"}
    streams = offered("shopify", config, {"access_token": "shpat_test"})
    records = {
        streams[name]: [
            (refine(one).external_id, one) for recording in recordings for one in body(samples, recording)
        ]
        for name, (refine, recordings, _) in BODIES.items()
    }
    ended = landed(script, records)
    for name, (_, recordings, count) in BODIES.items():
        sent = sum(len(body(samples, recording)) for recording in recordings)
        assert counted(ended)[name] == (sent, count, 0)
    assert not FailedSync.objects.exists()
