"""Lightning Fabric, from whichever package holds it: lightning-fabric on PyPI, lightning on conda-forge."""

try:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy
except ModuleNotFoundError:  # pragma: no cover - conda-forge has the unified package only
    from lightning.fabric import Fabric  # type: ignore[no-redef]
    from lightning.fabric.plugins.environments import LightningEnvironment  # type: ignore[no-redef]
    from lightning.fabric.strategies import DDPStrategy  # type: ignore[no-redef]

__all__ = ["DDPStrategy", "Fabric", "LightningEnvironment"]
