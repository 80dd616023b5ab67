"""Answers to labels: class probabilities, answers of a plan, shares for subjective questions."""
