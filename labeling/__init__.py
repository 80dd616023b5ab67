"""Labels: what is asked, who sells the answers, what is owned, and what they add up to."""
