"""Rows of settings by subject, for `hpo.settings.table`."""
