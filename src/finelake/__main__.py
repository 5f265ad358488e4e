"""`python -m finelake` is the command line."""

from finelake.cli import main

if __name__ == "__main__":
    main()
