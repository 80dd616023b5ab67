"""The command line: parsing, what is printed, and one module a command."""
