"""The simulated annotation platform: one seeded, event-driven engine with a virtual clock."""
