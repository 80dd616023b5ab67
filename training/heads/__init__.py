"""Multinomial logistic regressions on soft targets, fitted many at once."""

from training.heads.heads import Heads, fit_heads, predict, softmax

__all__ = ["Heads", "fit_heads", "predict", "softmax"]
