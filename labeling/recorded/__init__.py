"""Answers that people have given already: read, replayed as a market, or owned for nothing."""
