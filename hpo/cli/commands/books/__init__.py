"""Commands about the books of a study: entries of the ledger, the audit."""
