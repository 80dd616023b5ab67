"""The platform's state: records, account, ids, time, and the true answers."""
