"""Lightning Fabric, from whichever package holds it: lightning-fabric on PyPI, lightning on conda-forge."""

try:
    from lightning_fabric import Fabric
except ModuleNotFoundError:  # pragma: no cover - conda-forge has the unified package only
    from lightning.fabric import Fabric  # type: ignore[no-redef]

__all__ = ["Fabric"]
