"""FastMCP's Python client. One JSON job a line on stdin, one JSON report a line on stdout.

    python py_client.py BROWSER...      BROWSER is the command that opens an authorization URL

    job     {"url", "era"?: "2026-07-28", "sse"?: true, "token"?, "login"?: true, "user"?, "calls"?: [..]}
    report  {"protocol", "tools", "answers", "asked", "refused", "error"?}

With `sse` it speaks the transport of 2024-11-05. With `login` the client goes the whole way by itself, as `user`
(alice); with `token` it sends that one; else none. Calls and their answers are those of `ts-client.mjs`. `asked` holds
the scope of every authorization request, `refused` every answer of the MCP server that was 401 or 403, `error` what
the client raised, as it raised it.
"""
import asyncio
import json
import logging
import subprocess
import sys
import urllib.parse
import warnings
import webbrowser
from contextlib import AsyncExitStack

import httpx2
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import SSETransport, StreamableHttpTransport
from mcp.client.subscriptions import listen
from mcp_types import PromptReference, ResourceTemplateReference


class Browser(webbrowser.BaseBrowser):
    """What `webbrowser.open` finds: notes the scope asked for, and leaves the walk to a program."""

    def __init__(self, command):
        super().__init__("peers")
        self.command, self.asked, self.user = command, [], "alice"

    def open(self, url, new=0, autoraise=True):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        self.asked.append(query.get("scope", [None])[0])
        subprocess.Popen([*self.command, url, self.user], stdout=sys.stderr)
        return True


async def work(job, browser):
    report = {"answers": [], "asked": [], "refused": []}
    browser.asked, browser.user = report["asked"], job.get("user", "alice")
    heard = Heard()
    try:
        async with AsyncExitStack() as streams:
            client = await streams.enter_async_context(connected(job, report["refused"], heard))
            report["protocol"] = str(client.protocol_version)
            report["tools"] = [tool.name for tool in await client.list_tools()]
            for call in job.get("calls", []):
                report["answers"].append(await answer(client, call, heard, streams))
    except Exception as error:
        report["error"] = described(error)
    return report


def connected(job, refused, heard):
    return Client(
        transport(job, refused),
        mode=mode(job),
        timeout=patience(job),
        sampling_handler=lambda messages, params, context: "sampled by the client",
        elicitation_handler=elicited,
        log_handler=heard.log,
        message_handler=heard.message,
    )


async def elicited(message, response_type, params, context):
    return ElicitResult(action="accept", content={"name": "Ada"})


class Heard:
    """Notifications, by method."""

    def __init__(self):
        self.notes = []

    async def log(self, message):
        self.notes.append(("notifications/message", {"level": message.level, "data": message.data}))

    async def message(self, message):
        method, params = getattr(message, "method", None), getattr(message, "params", None)
        if method:
            self.notes.append((method, params.model_dump(mode="json") if params else {}))

    async def wait(self, method):
        for _ in range(200):
            for name, params in self.notes:
                if name == method:
                    return params
            await asyncio.sleep(0.05)
        raise RuntimeError(f"no {method}")


async def answer(client, call, heard, streams):
    progress = []
    try:
        if "all" in call:
            answers = await asyncio.gather(*(answer(client, each, heard, streams) for each in call["all"]))
            return {"value": [each.get("value") for each in answers]}
        if "heard" in call:
            return {"value": await heard.wait(call["heard"])}
        if "signal" in call:
            async with httpx2.AsyncClient(timeout=60) as harness:
                return {"value": (await harness.get(call["signal"])).status_code}
        if "listen" in call:
            stream = await streams.enter_async_context(listen(client.session, resource_subscriptions=call["listen"]["resourceSubscriptions"]))
            follower = asyncio.create_task(follow(stream, heard))
            streams.callback(follower.cancel)
            return {"value": True}
        if "method" in call:
            return {"value": plain(await METHODS[call["method"]](client, call.get("params", {})))}
        if call.get("cancel"):
            return await cancelled(client, call, progress)
        result = await client.call_tool(call["name"], call.get("arguments", {}), progress_handler=noted(progress))
        return {"value": result.structured_content or result.content[0].text, "progress": progress}
    except Exception as error:
        return {"error": described(error), "progress": progress}


async def follow(stream, heard):
    async for event in stream:
        heard.notes.append(("notifications/resources/updated", {"uri": str(event.uri)}))


async def cancelled(client, call, progress):
    moved = asyncio.Event()
    running = asyncio.create_task(client.call_tool(call["name"], call.get("arguments", {}), progress_handler=noted(progress, moved)))
    await asyncio.wait_for(moved.wait(), 10)
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        return {"error": {"type": "CancelledError", "message": "no longer wanted"}, "progress": progress}
    return {"value": "ended before it was cancelled"}


def noted(progress, moved=None):
    async def note(value, total, message):
        progress.append(value)
        if moved:
            moved.set()

    return note


def plain(result):
    if isinstance(result, list):
        return [plain(each) for each in result]
    return result.model_dump(mode="json", by_alias=True, exclude_none=True) if result is not None else {}


async def complete(client, params):
    kind = PromptReference if params["ref"]["type"] == "ref/prompt" else ResourceTemplateReference
    return await client.complete_mcp(kind(**params["ref"]), params["argument"])


METHODS = {
    "completion/complete": complete,
    "logging/setLevel": lambda client, params: client.set_logging_level(params["level"]),
    "prompts/get": lambda client, params: client.get_prompt_mcp(params["name"], params.get("arguments")),
    "prompts/list": lambda client, params: client.list_prompts_mcp(),
    "resources/list": lambda client, params: client.list_resources_mcp(),
    "resources/read": lambda client, params: client.read_resource_mcp(params["uri"]),
    "resources/subscribe": lambda client, params: client.session.subscribe_resource(params["uri"]),
    "resources/templates/list": lambda client, params: client.list_resource_templates_mcp(),
}


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
        defaults = {"follow_redirects": True, "timeout": httpx2.Timeout(30, read=300)}  # As the SDK has them.
        return httpx2.AsyncClient(**{**defaults, **options}, event_hooks={"response": [note]})

    auth = "oauth" if job.get("login") else job.get("token")
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
