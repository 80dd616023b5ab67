"""Labels: campaigns, markets of labels, the store of answers, and aggregation."""
