"""Safe access to Toloka's API: client, token, clocks, and a journal of intents."""
