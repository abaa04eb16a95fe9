"""The test kit that ships with the product: oracle, scenarios, checkers."""
