"""Shapes of request bodies: what a body must look like before anything is done with it."""
