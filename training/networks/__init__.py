"""Images through a network: the pass that gives their features, and training end to end."""
