"""Which plan to buy next: surrogate, acquisition, rule of thumb, and stock samplers."""
