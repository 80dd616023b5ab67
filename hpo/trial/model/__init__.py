"""A trained head: its calibration, and the same from other annotators."""
