"""Tables of answers as tools write them: one row a format, each read into columns of answers."""
