"""One script a claim, each with its baseline in the same run."""
