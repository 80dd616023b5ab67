"""Images through a network: the pass that gives their features."""
