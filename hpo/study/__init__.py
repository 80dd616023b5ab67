"""A study: ask, buy, tell, resume, stop; its trials, pools, journal and confirmation."""
