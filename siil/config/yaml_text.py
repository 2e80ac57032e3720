"""YAML as the configuration takes it: plain values alone.

Aliases are refused: a few lines of them stand for more values than memory holds. So is nesting without end.
"""

from __future__ import annotations

from typing import Any

import yaml


class _Plain(yaml.SafeLoader):
    """PyYAML's safe loader without aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"alias *{self.peek_event().anchor}: write its value out")
        return super().compose_node(parent, index)


def parse(text: str) -> Any:
    """The value of a YAML text. Raises yaml.YAMLError for anything that is no plain YAML."""
    try:
        return yaml.load(text, Loader=_Plain)
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
    except (ValueError, AttributeError, TypeError, KeyError, IndexError) as error:  # dates such as 2001-99-99
        raise yaml.YAMLError(str(error)) from None
