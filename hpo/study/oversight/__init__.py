"""A study seen from outside: its accounts as entries, and its answer computed once more."""
