"""The simulated annotation platform: a seeded, event-driven engine with a virtual clock."""
