"""Pools on the market: made or found, filled, opened, watched, collected, closed."""
