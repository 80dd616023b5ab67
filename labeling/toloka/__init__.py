"""The real market, Toloka, through toloka-kit."""
