"""ClearML as a mirror of a study's run directory: the only place that knows ClearML.

`run` reads the directory, `records` and the modules beside it say what a server is to hold, `sync`
brings a server there, `live` does so in a process of its own while a study runs, `fetch` gets a
label version back. The clearml package is imported by `remote` alone, when a server is asked.
"""
