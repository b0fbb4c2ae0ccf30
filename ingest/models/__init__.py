"""The nouns of the inside."""

from ingest.models.job import CollectionJob, Page, this_worker
from ingest.models.raw import FailedSync, RawRecord
from ingest.models.refined import (
    REFINED_MODELS,
    CatalogItem,
    ContentItem,
    Customer,
    GenericRecord,
    Order,
    OrderLine,
    Product,
    ProductVariant,
    RefinedRecord,
)
from ingest.models.source import Source, SourceStream

__all__ = [
    "REFINED_MODELS",
    "CatalogItem",
    "CollectionJob",
    "ContentItem",
    "Customer",
    "FailedSync",
    "GenericRecord",
    "Order",
    "OrderLine",
    "Page",
    "Product",
    "ProductVariant",
    "RawRecord",
    "RefinedRecord",
    "Source",
    "SourceStream",
    "this_worker",
]
