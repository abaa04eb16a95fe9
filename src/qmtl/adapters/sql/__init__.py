"""SQLite for one machine and PostgreSQL for many, through SQLAlchemy Core."""
