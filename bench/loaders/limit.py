"""
The limit: the least work that leaves our tables as the pipeline leaves them.

One process, one statement per table and page, typed rows projected by PostgreSQL from the JSON, no job, no
lease, no dead letter, no metric, no look-up of relations. One commit per page, with the checkpoint in it.
"""

from __future__ import annotations

import hashlib
import io
import os
from argparse import Namespace
from collections.abc import Iterable

import msgspec
import psycopg2
import psycopg2.extensions

from bench.loaders import pages

STAGE = """
    CREATE TEMP TABLE staged (
        raw_id bigint NOT NULL DEFAULT nextval('ingest_rawrecord_id_seq'),
        external_id text, version int, body_hash bytea, payload json
    ) ON COMMIT DELETE ROWS
    """
COPY = "COPY staged (external_id, version, body_hash, payload) FROM STDIN"
# One index probe per id, whatever the planner knows of the table.
LATEST = """
    SELECT wanted.id, latest.version, latest.body_hash
      FROM unnest(%s::text[]) AS wanted (id)
     CROSS JOIN LATERAL (
        SELECT version, body_hash FROM ingest_rawrecord
         WHERE stream_id = %s AND external_id = wanted.id ORDER BY version DESC LIMIT 1
     ) latest
    """
RAW = """
    INSERT INTO ingest_rawrecord (id, stream_id, external_id, version, payload, body_hash, source_updated_at,
                                  is_deleted)
    SELECT raw_id, %(stream)s, external_id, version, payload, body_hash,
           (payload ->> 'updated_at')::timestamptz, false
      FROM staged
    """
ORDERS = """
    INSERT INTO ingest_order (
        id, source_id, raw_id, external_id, occurred_at, source_updated_at, day, number, customer_external_id,
        email, status, fulfillment_status, currency, total_amount, subtotal_amount, tax_amount,
        discount_amount, cancelled_at
    )
    SELECT {uuid}(), %(source)s, raw_id, external_id, created_at, updated_at,
           (created_at AT TIME ZONE 'UTC')::date, name, customer ->> 'id', email, financial_status,
           fulfillment_status, currency, total_price, subtotal_price, total_tax, total_discounts, cancelled_at
      FROM staged, json_to_record(payload) AS said (
        created_at timestamptz, updated_at timestamptz, cancelled_at timestamptz, name text, customer json,
        email text, financial_status text, fulfillment_status text, currency text, total_price numeric,
        subtotal_price numeric, total_tax numeric, total_discounts numeric
      )
    ON CONFLICT (source_id, external_id) DO UPDATE SET
        raw_id = EXCLUDED.raw_id, source_updated_at = EXCLUDED.source_updated_at, email = EXCLUDED.email,
        status = EXCLUDED.status, fulfillment_status = EXCLUDED.fulfillment_status,
        currency = EXCLUDED.currency, total_amount = EXCLUDED.total_amount,
        subtotal_amount = EXCLUDED.subtotal_amount, tax_amount = EXCLUDED.tax_amount,
        discount_amount = EXCLUDED.discount_amount, cancelled_at = EXCLUDED.cancelled_at,
        synced_at = clock_timestamp()
    RETURNING id, external_id
    """
LINES = """
    WITH parents AS ({orders})
    INSERT INTO ingest_orderline (
        id, source_id, raw_id, external_id, occurred_at, source_updated_at, day, order_id, order_external_id,
        product_external_id, variant_external_id, title, sku, quantity, unit_price, currency
    )
    SELECT {uuid}(), %(source)s, raw_id, line.id, created_at, updated_at,
           (created_at AT TIME ZONE 'UTC')::date, parents.id, external_id, product_id, variant_id, title, sku,
           quantity, price, currency
      FROM staged JOIN parents USING (external_id),
           json_to_record(payload) AS said (
               created_at timestamptz, updated_at timestamptz, currency text, line_items json
           ),
           json_to_recordset(line_items) AS line (
               id text, product_id text, variant_id text, title text, sku text,
               quantity numeric, price numeric
           )
    ON CONFLICT (source_id, external_id) DO UPDATE SET
        raw_id = EXCLUDED.raw_id, source_updated_at = EXCLUDED.source_updated_at,
        product_external_id = EXCLUDED.product_external_id,
        variant_external_id = EXCLUDED.variant_external_id, title = EXCLUDED.title, sku = EXCLUDED.sku,
        quantity = EXCLUDED.quantity, unit_price = EXCLUDED.unit_price, currency = EXCLUDED.currency,
        synced_at = clock_timestamp()
    """
CHECKPOINT = "UPDATE ingest_sourcestream SET state = jsonb_build_object('cursor', %s) WHERE id = %s"


class Listed(msgspec.Struct):
    """A page, its records left as they came."""

    orders: list[msgspec.Raw]


class Named(msgspec.Struct):
    """All that has to be known of a record before the comparison."""

    id: int


def main(given: Namespace) -> int:
    """Load every page; return how many records there were."""
    listed = msgspec.json.Decoder(Listed)
    records = 0
    link = psycopg2.connect(os.environ["DATABASE_URL"])
    with link.cursor() as cursor:
        cursor.execute(STAGE)
        link.commit()
        for body, following in pages.bodies(given.url, token=given.token):
            orders = listed.decode(body).orders
            _keep(cursor, given, orders)
            cursor.execute(CHECKPOINT, [following, given.stream])
            link.commit()
            records += len(orders)
            if given.records and records >= given.records:
                break
    link.close()
    return records


def _keep(cursor: psycopg2.extensions.cursor, given: Namespace, orders: list[msgspec.Raw]) -> None:
    """Write what is new or different, nothing else."""
    named = msgspec.json.Decoder(Named)
    bodies = {str(named.decode(order).id): bytes(order) for order in orders}
    cursor.execute(LATEST, [list(bodies), given.stream])
    held = {external_id: (version, bytes(digest)) for external_id, version, digest in cursor.fetchall()}
    lines = list(_changed(bodies, held))
    if not lines:
        return
    cursor.copy_expert(COPY, io.BytesIO(b"".join(lines)))
    uuid = "uuidv7" if cursor.connection.server_version >= 180_000 else "gen_random_uuid"
    names = {"source": given.source, "stream": given.stream}
    cursor.execute(RAW, names)
    cursor.execute(LINES.format(orders=ORDERS.format(uuid=uuid), uuid=uuid), names)


def _changed(bodies: dict[str, bytes], held: dict[str, tuple[int, bytes]]) -> Iterable[bytes]:
    for external_id, body in bodies.items():
        digest = hashlib.sha256(body).digest()
        version, known = held.get(external_id, (0, b""))
        if digest != known:
            yield b"%s\t%d\t\\\\x%s\t%s\n" % (
                external_id.encode(),
                version + 1,
                digest.hex().encode(),
                body.replace(b"\\", b"\\\\"),
            )


if __name__ == "__main__":
    parser = pages.arguments(description=main.__doc__ or "")
    for name in ("source", "stream"):
        parser.add_argument(f"--{name}", type=int, required=True, help=f"id of the {name}'s row")
    pages.report(main, parser.parse_args())
