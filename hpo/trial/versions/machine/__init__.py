"""A machine's labels beside people's: read, mixed in several ways, and chosen by measuring."""
