"""The answer as one self-contained page: it opens from disk, and asks the network for nothing."""
