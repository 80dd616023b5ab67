"""Toloka: the real market, and a local server that speaks its language."""
