"""Commands about own annotators: the server, the invitation, the pay."""
