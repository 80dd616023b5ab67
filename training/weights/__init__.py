"""Pretrained weights: where they come from, whether they fit a model, and how they are kept."""
