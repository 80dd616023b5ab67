"""The platform's engine: time, annotators, admission, quality control, review."""
