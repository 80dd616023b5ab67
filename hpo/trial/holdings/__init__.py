"""What a study owns: where plans begin in the pool, what they lack, and whether the books agree."""
