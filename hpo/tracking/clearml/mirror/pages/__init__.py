"""What people read on a study's pages beside its records: its story, its answer, its trials."""
