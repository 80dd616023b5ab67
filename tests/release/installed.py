"""Installs what `make dist` built into empty environments, and runs a study with it.

The dependencies are those of the environment that this script runs in: it asks whether wheel and
source distribution hold all that the program needs, in seconds. With --index URL, pip brings all
dependencies, PyTorch from that index first, and the size of the whole environment is told.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

STUDY = ("--budget", "0.5", "--study", "release", "--clearml", "off", "--quiet")
FILES = ("report.json", "report.html", "labels.csv", "model.safetensors")


def run(*words: str | Path, cwd: Path) -> str:
    """Run a command without this checkout on its path; its output."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=kept, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def environment(folder: Path, package: Path, index: str | None) -> Path:
    """An empty environment with the package; the folder of its programs."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    if index is None:
        site = next(folder.glob("lib/python*/site-packages"))
        # A path alone: what is installed there for development, as this checkout, does not count.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        run(programs / "pip", "install", "--quiet", "--no-deps", package, cwd=folder)
    else:
        install = (programs / "pip", "install", "--quiet", "--no-compile")  # bytecode: 0.3 GB
        run(*install, "torch", "torchvision", "--index-url", index, cwd=folder)
        run(*install, package, cwd=folder)
    return programs


def check(package: Path, index: str | None) -> None:
    """Install a package, run a study in an empty folder, and say what came out."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        programs = environment(folder / "env", package, index)
        work = folder / "work"
        work.mkdir()
        version = run(programs / "labelworth", "--version", cwd=work).split()[-1]
        where = "import hpo; print(hpo.__file__)"
        home = run(programs / "python", "-P", "-c", where, cwd=work).strip()
        if not Path(home).resolve().is_relative_to((folder / "env").resolve()):
            raise SystemExit(f"{package.name}: hpo comes from {home}")
        if version not in package.name:
            raise SystemExit(f"{package.name}: the program says that it is {version}")
        said = run(programs / "labelworth", *STUDY, cwd=work)
        missing = [name for name in FILES if not (work / "runs/release" / name).exists()]
        if missing or "Labels of" not in said:
            raise SystemExit(f"{package.name}: no {', '.join(missing)}; it said:\n{said}")
        files = (folder / "env").rglob("*")
        size = sum(
            path.stat().st_size for path in files if path.is_file() and not path.is_symlink()
        )
    whole = "" if index is None else f", whole environment {size / 1e6:,.0f} MB"
    print(f"{package.name}: version {version}, a study in an empty environment is fine{whole}")


def main() -> None:
    """Check every package of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--index", metavar="URL", help="bring dependencies, PyTorch from here")
    arguments = parser.parse_args()
    packages = sorted([*arguments.folder.glob("*.whl"), *arguments.folder.glob("*.tar.gz")])
    if len(packages) != 2:
        raise SystemExit(f"{arguments.folder}: a wheel and a source distribution are expected")
    for package in packages:
        check(package.resolve(), arguments.index)


if __name__ == "__main__":
    sys.exit(main())
