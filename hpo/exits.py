"""Exit codes of the command line."""

DONE = 0  # also when the budget is used up
BAD_INPUT = 2
NOTHING_AFFORDABLE = 3
NOT_CONFIRMED = 4
MARKET_TROUBLE = 5
LEDGER_REFUSED = 6
MIRROR_INCOMPLETE = 7
