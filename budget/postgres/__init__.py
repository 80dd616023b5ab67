"""PostgreSQL: one database that a study on several machines lies in."""
