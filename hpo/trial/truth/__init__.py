"""Labels bought to measure models by, and scores that carry their errors."""
