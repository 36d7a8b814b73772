"""Python FastMCP's OAuth proxy, in memory, with a tool that has the upstream's token.

    python fastmcp_proxy.py PORT UPSTREAM
"""
import sys

from fastmcp import FastMCP
from fastmcp.server.auth import OAuthProxy
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token
from key_value.aio.stores.memory import MemoryStore

port, upstream = sys.argv[1:]
verifier = JWTVerifier(jwks_uri=f"{upstream}/jwks", issuer=upstream, audience="proxy", algorithm="ES256", required_scopes=["notes:read"])
auth = OAuthProxy(
    upstream_authorization_endpoint=f"{upstream}/authorize",
    upstream_token_endpoint=f"{upstream}/token",
    upstream_client_id="proxy",
    upstream_client_secret="proxy-secret",
    token_verifier=verifier,
    base_url=f"http://127.0.0.1:{port}",
    client_storage=MemoryStore(),
)
server = FastMCP("bench", auth=auth)


@server.tool
def echo(text: str) -> str:
    if not get_access_token().token.startswith("eyJ"):
        raise ValueError("no token of the upstream")
    return text


options = {"log_level": "error", "access_log": False}
server.run(transport="http", host="127.0.0.1", port=int(port), show_banner=False, json_response=True, uvicorn_config=options)
