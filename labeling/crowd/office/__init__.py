"""Own annotators: a few people who answer one task at a time, and are paid for their time."""
