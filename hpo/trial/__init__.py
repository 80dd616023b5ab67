"""One trial: a purchase, the labels it gives, the model trained on them, and what that is worth."""
