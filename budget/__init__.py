"""Money: amounts, tariffs and the ledger that refuses to overdraw."""
