"""What can be wrong with images and weights."""


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line naming it and the remedy."""
