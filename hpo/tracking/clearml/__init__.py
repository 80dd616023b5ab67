"""ClearML: everything that imports it lies in here, and is imported only where it is used."""
