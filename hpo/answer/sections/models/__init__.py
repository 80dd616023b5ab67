"""What the labels of a study give with other models than its own."""
