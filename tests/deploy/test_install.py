"""The hashed locks install as they are, whatever has been released since they were made."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from tests.deploy.known import ROOT

LOCKS = sorted(path.name for path in ROOT.glob("requirements*.txt"))
NEWER = "9999.0"
PINNED = re.compile(r"^([A-Za-z0-9._-]+(?:\[[^\]]*\])?==[^ ;\\]+(?: ;[^\\]*)?)", re.MULTILINE)
HOSTS = re.compile(rb"pypi\.org|pythonhosted|registry\.npmjs|crates\.io|deb\.debian\.org")


def pinned(name: str) -> list[Requirement]:
    """Every requirement of one lock file."""
    return [Requirement(line.strip()) for line in PINNED.findall((ROOT / name).read_text())]


def applies(requirement: Requirement) -> bool:
    """Whether this machine installs it."""
    return requirement.marker is None or requirement.marker.evaluate()


def release(folder: Path, name: str) -> None:
    """Publish an empty newer version of a package."""
    stem = f"{name.replace('-', '_')}-{NEWER}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {NEWER}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def installed(python: Path) -> dict[str, Version]:
    """What an environment holds, by canonical name."""
    listing = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    told = subprocess.run([python, "-c", listing], check=True, capture_output=True, text=True, timeout=60).stdout
    return {canonicalize_name(name): Version(version) for name, version in json.loads(told).items()}


def test_every_extra_stays_in_the_lock():
    """pip in hash mode refuses `google-auth[requests]>=2` where the lock pins `google-auth==2` without the extra."""
    for lock in ("requirements.txt", "requirements-dev.txt"):
        locked = {canonicalize_name(each.name): each.extras for each in pinned(lock) if applies(each)}
        stripped = []
        for name, extras in locked.items():
            try:
                lines = distribution(name).requires or []
            except PackageNotFoundError:  # an extra that this environment was installed without
                continue
            for brought in map(Requirement, lines):
                wanted = brought.marker is None or any(
                    brought.marker.evaluate({"extra": extra}) for extra in (extras or {""})
                )
                if wanted and not brought.extras <= locked[canonicalize_name(brought.name)]:
                    stripped.append(f"{name} needs {brought}")
        assert stripped == [], lock


def test_setup_installs_the_locks_while_everything_has_newer_releases(tmp_path: Path):
    """`make setup`, then what `make test` installs, in an empty checkout: the pinned version of each package."""
    index = tmp_path / "index"
    index.mkdir()
    for name in {canonicalize_name(each.name) for lock in LOCKS for each in pinned(lock)}:
        release(index, name)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE", "migrations", "scripts", "src", *LOCKS):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    offers = {"UV_FIND_LINKS": str(index), "PIP_FIND_LINKS": str(index)}
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")} | offers
    for target, locks in (
        ("setup", ["requirements.txt"]),
        (".venv/dev.stamp", ["requirements-dev.txt", "requirements-programs.txt"]),
    ):
        done = subprocess.run(
            ["make", f"PYTHON={sys.executable}", target],
            cwd=checkout, env=environment, check=False, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Installing" in done.stdout
        expected = {
            canonicalize_name(each.name): Version(next(iter(each.specifier)).version)
            for lock in locks
            for each in pinned(lock)
            if applies(each)
        }
        found = installed(checkout / ".venv/bin/python")
        assert found.pop("hortus")
        assert found == expected


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_of_a_lock_has_a_hash(lock: str):
    blocks = (ROOT / lock).read_text().split("\n")
    pins = [index for index, line in enumerate(blocks) if PINNED.match(line)]
    assert pins
    assert all("--hash=sha256:" in blocks[index + 1] for index in pins)


def test_no_file_names_the_host_of_a_registry():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, timeout=60).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name and name != "tests/deploy/test_install.py"]
    assert len(paths) > 100
    assert [str(path) for path in paths if path.is_file() and HOSTS.search(path.read_bytes())] == []
