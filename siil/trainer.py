"""`python -m siil.trainer`: the method's original entry point for training; see siil.own_data and siil.get_config."""

from __future__ import annotations

from siil import own_data

if __name__ == "__main__":
    own_data.run(own_data.train)
