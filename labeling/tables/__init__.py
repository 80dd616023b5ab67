"""Text tables as people have them: encodings, separators, names of columns, names of classes."""
