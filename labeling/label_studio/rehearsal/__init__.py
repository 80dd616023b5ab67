"""A rehearsal on a real server of this machine: it is started, and scripted people answer."""
