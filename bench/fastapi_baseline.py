"""Baseline for FastAPI: a route that returns `{"ok": true}` on uvicorn. Prints its address."""

import socket

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/empty")
async def empty() -> dict[str, bool]:
    """Return a constant."""
    return {"ok": True}


def main() -> None:
    """Serve until terminated, on the same event loop as the real server."""
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(2048)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])


if __name__ == "__main__":
    main()
