"""Simulated annotators: who they are, what they see in an image, and what they answer."""
