"""Commands about a model as one file: made from labels, labelling new images, exported."""
