"""Work of own annotators, who submit one answer at a time: what counts, pay, and trust."""
