"""Sums by annotator over the answers that a study bought."""
