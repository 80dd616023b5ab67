"""The answer as Python objects, which a notebook shows as tables."""
