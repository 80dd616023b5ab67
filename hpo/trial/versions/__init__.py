"""Versions of label sets: those of one purchase, and all bought labels merged."""
