"""The platform at work: time, annotators, admission, quality control, review."""
