"""Looking at a study from Python: its answer, its trials as tables, its trials for Optuna."""
