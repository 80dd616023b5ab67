"""The parts of the answer, one module each: what is measured once, kept, told and printed."""
