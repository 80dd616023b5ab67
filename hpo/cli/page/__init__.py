"""The answer as a page: written again, opened, or served while a study runs."""
