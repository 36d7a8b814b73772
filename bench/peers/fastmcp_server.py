"""Python FastMCP's own authorization server, in memory. It shows no page: every authorization is approved at once.

    python fastmcp_server.py PORT
"""
import sys

from fastmcp import FastMCP
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from mcp.server.auth.settings import ClientRegistrationOptions

port = int(sys.argv[1])
registration = ClientRegistrationOptions(enabled=True, valid_scopes=["notes:read"], default_scopes=["notes:read"])
auth = InMemoryOAuthProvider(base_url=f"http://127.0.0.1:{port}", client_registration_options=registration)
server = FastMCP("bench", auth=auth)


@server.tool
def whoami() -> str:
    return "somebody"


server.run(transport="http", host="127.0.0.1", port=port, show_banner=False, uvicorn_config={"log_level": "error", "access_log": False})
