"""A ClearML server: requests, records to be held, the layout of datasets, writing."""
