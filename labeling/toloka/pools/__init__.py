"""Pools on the market: found or created, filled, opened, collected and closed."""
