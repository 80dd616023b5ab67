"""The answer: front, recommendation, forecast, advice, and their words."""
