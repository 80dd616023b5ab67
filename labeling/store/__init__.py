"""Orders and every answer ever bought, in SQL: what is owned, and what a plan still lacks."""

from labeling.store.records import OrderRecord, order_limit
from labeling.store.store import Store

__all__ = ["OrderRecord", "Store", "order_limit"]
