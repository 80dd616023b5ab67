"""Views over bought labels: their catalogue, and the accuracy that they give today."""
