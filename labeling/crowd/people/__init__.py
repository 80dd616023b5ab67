"""Simulated annotators: their traits, the items that they see, and their answers."""
