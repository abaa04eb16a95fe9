"""Adapters over object stores (S3 and those that speak its protocol), by obstore."""
