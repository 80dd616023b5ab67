"""A campaign and a condition as objects of the platform, and their reading back."""
