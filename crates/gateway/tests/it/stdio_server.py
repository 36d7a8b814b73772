"""An MCP server on stdio for tests: each tool behaves in its own way.

Flags: `modern` answers requests of 2026-07-28, `mirrors` wants a parameter in a header, `quits` ends on what it does not know, `mute` never
answers a discovery, `refuses` answers `initialize` with an error, `stubborn` ignores the end of its
input and SIGTERM, `deaf` reads nothing after the handshake, `early` asks before it is asked.
"""

import json
import os
import signal
import subprocess
import sys
import time

FLAGS = {arg for arg in sys.argv[1:] if "=" not in arg}
REVISION = "io.modelcontextprotocol/protocolVersion"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"

held, asked, seen, notes = [], {}, [], []


def write(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def text(request, value):
    content = [{"type": "text", "text": json.dumps(value)}]
    write({"id": request["id"], "result": {"content": content}})


def notify(method, **params):
    write({"method": method, "params": params})


def call(request):
    params = request["params"]
    name, args = params["name"], params.get("arguments", {})
    if name == "echo":
        text(request, {"said": args.get("say"), "id": request["id"], "pid": os.getpid()})
    elif name == "raw":
        # Answers with the member as it was written, and with members nobody knows.
        line = '{"jsonrpc":"2.0","x":[1.50,"\\u00e9"],"id":%s,"result":{"n":1e2}}\n'
        sys.stdout.write(line % json.dumps(request["id"]))
        sys.stdout.flush()
    elif name == "hold":
        held.append(request)
    elif name == "release":
        for other in held:
            text(other, "released")
        held.clear()
        text(request, "ok")
    elif name == "held":
        text(request, len(held))
    elif name == "wrong_ids":
        answer = {"result": {"content": [{"type": "text", "text": '"wrong"'}]}}
        own = request["id"]
        for other in (own + 1000, -1, 0, None, str(own), own + 0.5, [own], {"id": own}):
            write({"id": other, **answer})
        text(request, "right")
        for other in (own, own - 1000, 10 ** 30):
            write({"id": other, **answer})
    elif name == "seen":
        text(request, seen)
    elif name == "note":
        notes.append(args["say"])
        text(request, notes)
    elif name == "exit":
        sys.stderr.write("fatal: \x1b[31mgiving up\n")
        sys.stderr.flush()
        os._exit(3)
    elif name == "last_words":
        # The process that was started is gone before another one of its tree answers.
        if os.fork() == 0:
            time.sleep(0.1)
            text(request, "bye")
        os._exit(0)
    elif name == "garbage":
        for other in held:
            sys.stdout.write('{"jsonrpc":"2.0","id":0,"id":%d,"result":{}}\n' % other["id"])
        for line in ("hello", "[]", '{"jsonrpc":"2.0","id":1,"id":2,"result":{}}', "", "\x00",
                     '{"jsonrpc":"2.0","id":%d,"result":{},"error":{}}' % request["id"],
                     '{"jsonrpc":"1.0","id":%d,"result":{}}' % request["id"],
                     '{"jsonrpc":"2.0","id":"%d","result":{}}' % request["id"]):
            sys.stdout.write(line + "\n")
        text(request, "clean")
    elif name == "big":
        text(request, "x" * args["bytes"])
    elif name == "flood":
        token = params["_meta"]["progressToken"]
        for at in range(args["count"]):
            notify("notifications/progress", progressToken=token, progress=at, message="x" * 1000)
        text(request, "flooded")
    elif name == "foreign_progress":
        for token in range(request["id"] + 3):
            notify("notifications/progress", progressToken=token, progress=1)
            notify("notifications/progress", progressToken="t", progress=1)
        text(request, "ok")
    elif name == "log":
        notify("notifications/message", level="info", data=args.get("say"))
        text(request, "logged")
    elif name == "list_changed":
        write({"method": "notifications/tools/list_changed"})
        text(request, "ok")
    elif name == "update":
        notify("notifications/resources/updated", uri=args["uri"])
        text(request, "ok")
    elif name == "ask":
        asked["ask-1"] = request
        write({"id": "ask-1", "method": args.get("method", "sampling/createMessage"), "params": {}})
    elif name == "ask_many":
        for at in range(args["count"]):
            write({"id": "many-%d" % at, "method": "roots/list"})
        text(request, "ok")
    elif name == "environment":
        text(request, {"env": dict(os.environ), "argv": sys.argv[1:], "cwd": os.getcwd()})
    elif name == "fork":
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        near = subprocess.Popen(["sleep", "1000"], **quiet)
        # One that leaves the group, and whose parent is gone.
        far = subprocess.run(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!"],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True)
        text(request, {"own": os.getpid(), "near": near.pid, "far": int(far.stdout)})
    else:
        write({"id": request["id"], "error": {"code": -32602, "message": "Unknown tool"}})


def receive(message):
    method = message.get("method")
    if method is None:
        request = asked.pop(message["id"], None)
        if request:
            text(request, {"result": message.get("result"), "error": message.get("error")})
        else:
            seen.append({"answer": message["id"], "error": message.get("error")})
    elif "id" not in message:
        seen.append({"method": method, "params": message.get("params")})
        if method == "notifications/cancelled":
            held[:] = [r for r in held if r["id"] != message["params"]["requestId"]]
    elif method == "initialize":
        if "refuses" in FLAGS:
            write({"id": message["id"], "error": {"code": -32602, "message": "no"}})
            return
        notify("notifications/message", level="info", data="starting")
        write({"id": message["id"], "result": {
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": {"tools": {}}, "serverInfo": {"name": "test", "version": "1"},
            "client": message["params"].get("clientInfo")}})
        if "deaf" in FLAGS:
            time.sleep(1000)
    elif method == "tools/call":
        call(message)
    elif method in ("resources/subscribe", "resources/unsubscribe"):
        seen.append({"method": method, "uri": message["params"]["uri"]})
        write({"id": message["id"], "result": {}})
    elif "modern" in FLAGS and method == "server/discover":
        write({"id": message["id"], "result": {
            "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {}}})
    elif "modern" in FLAGS and method == "subscriptions/listen":
        meta = {SUBSCRIPTION: message["id"]}
        notify("notifications/subscriptions/acknowledged", _meta=meta, notifications={})
        notify("notifications/tools/list_changed", _meta=meta)
        held.append(message)
    elif "mirrors" in FLAGS and method == "tools/list":
        seen.append({"method": method})
        cursor = message["params"].get("cursor")
        said = {"type": "string", "x-mcp-header": "Say"}
        schema = {"type": "object", "properties": {"say": said}}
        tool = {"name": "note" if cursor else "echo", "inputSchema": schema if cursor else {}}
        page = {"tools": [tool], **({} if cursor else {"nextCursor": "more"})}
        write({"id": message["id"], "result": page})
    elif "mute" in FLAGS:
        pass
    elif "quits" in FLAGS:
        os._exit(1)
    else:
        write({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})


if "early" in FLAGS:
    write({"id": "early", "method": "roots/list"})
if "stubborn" in FLAGS:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    receive(json.loads(line))
while "stubborn" in FLAGS:
    time.sleep(1000)
