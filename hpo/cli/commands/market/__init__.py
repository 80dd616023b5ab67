"""Commands about whoever answers: a platform account, its books, a local platform, a crowd."""
