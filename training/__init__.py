"""Training: images to features, features and soft targets to heads, heads to scores."""
