"""Recorded answers: read from files, replayed as a market, or owned at no cost."""
