"""A scenario from recorded answers, and how well its crowd resembles the recorded people."""
