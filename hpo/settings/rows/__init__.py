"""Rows of settings by group, where a group is long."""
