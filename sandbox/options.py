"""How much of a world there is, and how it behaves unless told otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Defaults make a world of some 47,000 records in 52 datasets."""

    #: The moment the sample data was made, epoch seconds.
    now: int
    seed: int = 7
    customers: int = 2_000
    products: int = 1_000
    orders: int = 8_000
    #: In each of the five ways of paging.
    items: int = 1_500
    songs: int = 3_000
    catalog: int = 500
    #: In the Atom and in the RSS feed each.
    articles: int = 500
    #: Multiplies the counts of the providers not named above.
    scale: float = 1.0
    #: Every order has exactly three lines and a customer, for benchmarks.
    plain_orders: bool = False
    #: Share of each dataset that no reader can store.
    bad_share: float = 0.0
    latency_ms: int = 0
    #: How much rendered text is kept per dataset; more makes a large world faster and larger.
    cache_mb: int = 200
    #: Calls per second that drain from Shopify's bucket of 40; the real one drains 2.0.
    leak_rate: float = 1_000.0
    shopify_token: str = "shpat_sandbox"  # noqa: S105 - not a secret: this world is pretended
    api_token: str = "sandbox-token"  # noqa: S105
