"""Toloka: the real market, and a local server with the same API."""
