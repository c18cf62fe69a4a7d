"""The template process of `forked_worker`: load a script once, then fork a child per job.

    python -I forked_worker_template.py SCRIPT CONTROL_FD

A job arrives on the control socket with two descriptors, the child's standard input and output; its process id goes
back. The template reads no input of a job and ends when the control socket is closed. It imports nothing of Hortus.
"""

import importlib.util
import json
import os
import resource
import signal
import socket
import struct
import sys
from types import ModuleType
from typing import Any


def load(script: str) -> ModuleType:
    """The script as a module, with everything that it imports."""
    spec = importlib.util.spec_from_file_location("worker_script", script)
    if spec is None or spec.loader is None:
        raise ImportError(script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def work(module: ModuleType, job: dict[str, Any], stdin: int, stdout: int) -> None:
    """The child process: its limits are set before it reads the first byte, so that input cannot lift them."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, job["seconds"] + 1)
    cpu = int(job["seconds"]) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_DATA, (job["memory"], job["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    facts, data = module.main(*job["arguments"])
    head = json.dumps(facts).encode()
    with open(1, "wb", closefd=False) as out:
        out.write(struct.pack("!II", len(head), len(data)) + head)
        out.write(data)


def serve(module: ModuleType, control: socket.socket) -> None:
    """Fork for each job until the other side closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
    while True:
        start, descriptors, _, _ = socket.recv_fds(control, 4, 2)
        if not start:
            return
        while len(start) < 4:
            start += control.recv(4 - len(start))
        (length,) = struct.unpack("!I", start)
        job = control.recv(length, socket.MSG_WAITALL)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                control.close()
                work(module, json.loads(job), *descriptors)
                status = 0
            finally:
                os._exit(status)
        for each in descriptors:
            os.close(each)
        control.sendall(struct.pack("!I", child))


if __name__ == "__main__":
    serve(load(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
