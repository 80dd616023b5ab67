"""Toloka's API reached safely: the client, the token, clocks, errors, and intents written first."""
