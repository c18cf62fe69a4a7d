"""Programs that check deploy files, run as somebody in the checkout would run them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.deploy.known import ROOT

HERE = str(Path(sys.executable).parent)


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "PATH": f"{HERE}:{os.environ['PATH']}", **environment}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=ROOT, env=told)


def passes(*command: str | Path, **environment: str) -> None:
    done = run(*command, **environment)
    assert done.returncode == 0, done.stdout + done.stderr


def needed(program: str) -> str:
    found = shutil.which(program, path=f"{HERE}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"LOUD: no {program} here, so what it would find stays unfound")
    return found
