"""A server on FastMCP (Python), of both eras.

    python python_server.py           on stdio
    python python_server.py http      on a free port; prints {"url": ".."}
"""
import asyncio
import json
import logging
import socket
import sys

from fastmcp import Context, FastMCP

STEPS = 200
STEP_SECONDS = 0.05
mcp = FastMCP("python")
abandoned = set()


@mcp.tool
def echo(text: str) -> str:
    return text


@mcp.tool
async def slow(key: str, ctx: Context) -> str:
    try:
        for step in range(STEPS):
            await ctx.report_progress(step + 1, STEPS)
            await asyncio.sleep(STEP_SECONDS)
    except asyncio.CancelledError:
        abandoned.add(key)
        raise
    return "done"


@mcp.tool(name="abandoned")
async def was_abandoned(key: str) -> str:
    for _ in range(STEPS):
        if key in abandoned:
            break
        await asyncio.sleep(STEP_SECONDS)
    return "true" if key in abandoned else "false"


@mcp.prompt
def greeting(name: str) -> str:
    return f"Greet {name}"


@mcp.resource("greeting://{name}")
def greeting_for(name: str) -> str:
    return f"Hello, {name}"


def main():
    if sys.argv[1:] != ["http"]:
        return mcp.run_stdio_async(show_banner=False)
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"}), flush=True)
    return mcp.run_http_async(show_banner=False, sockets=[listener], log_level="error", uvicorn_config={"access_log": False})


logging.disable(logging.WARNING)
asyncio.run(main())
