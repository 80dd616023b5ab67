"""Commands over several studies, and over the commands themselves."""
