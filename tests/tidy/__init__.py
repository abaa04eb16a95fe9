"""The repository's own style as code: each rule takes sources and returns what it finds, with the cure."""
