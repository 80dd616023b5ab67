"""A campaign: questions, instructions, exam and quality rules as data, and its templates."""
