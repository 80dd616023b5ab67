"""The second phase of a study: the rest of the money buys the labels that it delivers."""
