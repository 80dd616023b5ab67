"""A study's settings: read, checked, stored in its run folder; and the exit codes."""
