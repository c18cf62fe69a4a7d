"""Programs that check deploy files, run as somebody in the checkout would run them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.deploy.known import ROOT
from tests.helpers.programs import skip_without

HERE = str(Path(sys.executable).parent)


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "PATH": f"{HERE}:{os.environ['PATH']}", **environment}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=ROOT, env=told)


def passes(*command: str | Path, **environment: str) -> None:
    done = run(*command, **environment)
    assert done.returncode == 0, done.stdout + done.stderr


def needed(program: str, *folders: str | Path) -> str:
    """Its path: first in the environment of the tests, then in `folders`, then on PATH."""
    found = shutil.which(program, path=os.pathsep.join(map(str, (HERE, *folders, os.environ["PATH"]))))
    return found or skip_without(program, "what it checks")
