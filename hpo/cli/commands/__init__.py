"""One module a command: its flags, and what it does.

Each has `add_parser`, which adds it to the subcommands, and nothing heavy at its top: what a
command needs is imported when it runs, so that --help answers at once.
"""
