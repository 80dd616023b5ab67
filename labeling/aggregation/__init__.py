"""Answers to labels: class probabilities, plans contained in what is owned, shares of taste."""
