"""The simulated platform at work: pools, suites, rounds and bans as events on a virtual clock."""
