"""A run directory as tasks, datasets, plots and models on a ClearML server."""
