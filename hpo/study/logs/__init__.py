"""The log of a study: what its processes do, line by line, and what it says of them."""
