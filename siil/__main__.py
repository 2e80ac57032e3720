"""`python -m siil`: the same door as the `siil` command, without an installation."""

from siil.cli import main

if __name__ == "__main__":
    main()
