"""The commands that start a study, go on with it, and read its answer."""
