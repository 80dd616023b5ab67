"""Where a study's story is written: the journal on disk, and its mirrors."""
