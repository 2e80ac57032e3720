"""The configuration of the method's original entry points: experiment `custom`, its scans in a folder of one's own.

The folder (`--data_path`, else `dataset.sources.custom.path` of the configuration) holds img/ and msk/ (`.nii.gz`,
equal names), training.txt and testing.txt; a pap/ in it is not needed: the maps are made from the masks. It is only
read.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from siil import config as configuration
from siil.config import Config
from siil.config.schema.dataset import CustomSource
from siil.errors import ConfigError

EXPERIMENT = "custom"


def get_config(arguments: Sequence[str] | None = None) -> tuple[Config, str]:
    """The configuration and the device that a command line asks for (default: the arguments of this program).

    Raises ConfigError for what `resolve` refuses, and for repeats.
    """
    given = parser().parse_args(arguments)
    overrides = configuration.parse_overrides(given.set)
    config = configuration.resolve(EXPERIMENT, model=given.model, overrides={**overrides, "models": [given.model]})
    if config.repeats > 1:
        raise ConfigError(
            f"repeats: these programs train one network a fold, got {config.repeats}; set repeats=1, or use the "
            f"workflow (snakemake --cores all --config experiment={EXPERIMENT})"
        )
    return (at(config, given.data_path) if given.data_path else config), given.device


def at(config: Config, data_path: str) -> Config:
    """`config` with the user's scans in another folder."""
    sources = {name: CustomSource(kind="custom", path=data_path) for name in config.dataset.sources}
    return config.model_copy(update={"dataset": config.dataset.model_copy(update={"sources": sources})})


def parser() -> ArgumentParser:
    """The options of `python -m siil.trainer` and `python -m siil.tester`."""
    options = ArgumentParser(description="SIIL on one's own scans. Research use only, not a medical device.")
    options.add_argument("--data_path", help="folder with img/, msk/, training.txt and testing.txt; only read")
    options.add_argument("--model", default="siil", help="name of config/models/*.yaml")
    options.add_argument("--device", default="auto", help="auto, cpu or cuda")
    options.add_argument("--set", action="append", default=[], help="KEY=VALUE of the configuration, repeatable")
    return options
