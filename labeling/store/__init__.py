"""Orders and all bought answers in SQL: the answers owned, and the answers a plan still lacks."""

from labeling.store.records import OrderRecord, order_limit
from labeling.store.store import Store

__all__ = ["OrderRecord", "Store", "order_limit"]
