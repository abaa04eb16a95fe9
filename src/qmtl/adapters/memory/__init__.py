"""In one process, for tests and simulations; forgets everything."""
