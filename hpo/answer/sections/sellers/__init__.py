"""Parts of the answer about who answers for money."""
