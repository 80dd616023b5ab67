"""Machines that sell labels: one module a kind, and what a study sees of them."""
