"""The handlers of the API's paths."""
