"""Pages that people read: a study's story and answer, and its trials' plots."""
