"""The least a FastAPI route can cost: nothing but `{"ok": true}` on uvicorn. Prints its address."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/empty")
async def empty() -> dict[str, bool]:
    """Nothing."""
    return {"ok": True}


async def main() -> None:
    """Serve until terminated."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    await uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(main())
