"""What the platform keeps: records, the account, names, time, and what the images show."""
