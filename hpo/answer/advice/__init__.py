"""What to make of the estimates: what to buy, what more money gives, what the settings do."""
