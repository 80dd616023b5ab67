"""A study's images: datasets, labels files, roles, new images, addresses."""
