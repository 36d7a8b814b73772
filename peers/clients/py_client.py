"""FastMCP's Python client. One JSON job a line on stdin, one JSON report a line on stdout.

    python py_client.py BROWSER...      BROWSER is the command that opens an authorization URL

    job     {"url", "era"?: "2026-07-28", "sse"?: true, "token"?, "login"?: true, "calls"?: [{"name", "arguments"?}]}
    report  {"protocol", "tools", "answers", "asked", "refused", "error"?}

With `sse` it speaks the transport of 2024-11-05. With `login` the client goes the whole way by itself; with `token` it sends that one; else none. `asked` holds the scope
of every authorization request, `refused` every answer of the MCP server that was 401 or 403, `error` what the client
raised, as it raised it.
"""
import asyncio
import json
import logging
import subprocess
import sys
import urllib.parse
import warnings
import webbrowser

import httpx2
from fastmcp import Client
from fastmcp.client.auth import OAuth
from fastmcp.client.transports import SSETransport, StreamableHttpTransport


class Browser(webbrowser.BaseBrowser):
    """What `webbrowser.open` finds: notes the scope asked for, and leaves the walk to a program."""

    def __init__(self, command):
        super().__init__("peers")
        self.command, self.asked = command, []

    def open(self, url, new=0, autoraise=True):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        self.asked.append(query.get("scope", [None])[0])
        subprocess.Popen([*self.command, url], stdout=sys.stderr)
        return True


async def work(job, browser):
    report = {"answers": [], "asked": [], "refused": []}
    browser.asked = report["asked"]
    try:
        async with Client(transport(job, report["refused"]), mode=mode(job), timeout=patience(job)) as client:
            report["protocol"] = str(client.protocol_version)
            report["tools"] = [tool.name for tool in await client.list_tools()]
            for call in job.get("calls", []):
                report["answers"].append(await answer(client, call))
    except Exception as error:
        report["error"] = described(error)
    return report


async def answer(client, call):
    try:
        result = await client.call_tool(call["name"], call.get("arguments", {}))
        return {"value": result.structured_content or result.content[0].text}
    except Exception as error:
        return {"error": described(error)}


def mode(job):
    return "auto" if job.get("era") == "2026-07-28" else "legacy"


def patience(job):
    """Over HTTP+SSE the client waits on its stream for ever once a `POST` was refused."""
    return 5 if job.get("sse") else None


def transport(job, refused):
    async def note(response):
        request = response.request
        ours = str(request.url) == job["url"] or request.url.path == "/messages"
        if ours and response.status_code in (401, 403):
            challenge = response.headers.get("www-authenticate")
            refused.append({"method": request.method, "status": response.status_code, "challenge": challenge})

    def http_client(**options):
        return httpx2.AsyncClient(**{"follow_redirects": True, **options}, event_hooks={"response": [note]})

    auth = OAuth() if job.get("login") else job.get("token")
    kind = SSETransport if job.get("sse") else StreamableHttpTransport
    return kind(job["url"], auth=auth, httpx_client_factory=http_client)


def described(error):
    """The error itself, or the first one inside a group; with the HTTP status when it carries one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    cause = error
    while cause is not None and not hasattr(cause, "response"):
        cause = cause.__cause__ or cause.__context__
    status = cause.response.status_code if cause is not None else None
    code = getattr(getattr(error, "error", None), "code", None)
    return {"type": type(error).__name__, "code": code, "status": status, "message": str(error)}


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    browser = Browser(sys.argv[1:])
    webbrowser.register("peers", None, browser, preferred=True)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(work(json.loads(line), browser))), flush=True)


main()
