"""Tariffs: a reward per suite, a wage per hour."""
