"""Labels in the forms that other programs read."""
