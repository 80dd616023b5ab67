"""Where Optuna keeps a study's trials: a file of the study's folder, or a database server."""
