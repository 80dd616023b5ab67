"""A campaign and a condition in the platform's words, and read back from it."""
