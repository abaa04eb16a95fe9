"""`python -m qmtl`."""

from qmtl.cli import main

if __name__ == "__main__":
    main()
