"""Images and features of one's own, from Python."""
