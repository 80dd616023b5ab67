"""Commands about a platform of annotators: its account, its pools, and one on this machine."""
