"""Authlib, a library that knows OAuth and nothing of MCP. One JSON job on stdin, one JSON report a case on stdout.

    python authlib_client.py BROWSER...      BROWSER, with an authorization URL and a user behind it, prints the answer

    job     {"issuer", "url", "scope", "machines": [{"name", "id", "secret"?, "key"?}]}
    report  {"name", "faults", "seen"}
"""
import json
import os
import subprocess
import sys
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from joserfc.jwk import ECKey
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

REDIRECT = "http://127.0.0.1/callback"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "authlib", "version": "1"}},
}


def main():
    browser, job = sys.argv[1:], json.loads(sys.stdin.readline())
    metadata = requests.get(f"{job['issuer']}/.well-known/oauth-authorization-server", timeout=10).json()
    for method in ("none", "client_secret_basic", "client_secret_post"):
        tell(f"authlib: a whole life, {method}", life, job, metadata, browser, method)
    for machine in job["machines"]:
        tell(f"authlib: client credentials, {machine['name']}", alone, job, metadata, machine)


def tell(name, run, *arguments):
    try:
        faults, seen = run(*arguments)
    except Exception as error:
        faults, seen = [f"{type(error).__name__}: {error}"], "an exception"
    print(json.dumps({"name": name, "faults": [fault for fault in faults if fault is not True], "seen": seen}), flush=True)


def life(job, metadata, browser, method):
    """Registered, signed in, used, refreshed, taken back."""
    client = register(metadata, method)
    session = OAuth2Session(
        client["client_id"],
        client.get("client_secret"),
        scope=job["scope"],
        redirect_uri=REDIRECT,
        code_challenge_method="S256",
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )
    verifier = generate_token(48)
    page, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, resource=job["url"])
    answer = subprocess.run([*browser, page, "alice"], capture_output=True, text=True, check=True).stdout.strip()
    first = session.fetch_token(
        metadata["token_endpoint"], authorization_response=answer, state=state, code_verifier=verifier, resource=job["url"]
    )
    used = called(job["url"], first)
    second = session.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"])
    used_again = called(job["url"], second)
    revoked = session.revoke_token(metadata["revocation_endpoint"], token=second["refresh_token"], token_type_hint="refresh_token")
    dead = called(job["url"], second)
    return [
        used == 200 and used_again == 200 or f"used: {used}, {used_again}",
        second["refresh_token"] != first["refresh_token"] or "the refresh token was not rotated",
        revoked.status_code == 200 or f"the revocation: {revoked.status_code}",
        dead == 401 or f"after the revocation {dead}",
    ], f"scope \"{first.get('scope')}\", then revoked: {dead}"


def alone(job, metadata, machine):
    method = "private_key_jwt" if "key" in machine else "client_secret_basic"
    session = OAuth2Session(
        machine["id"],
        ECKey.import_key(machine["key"]) if "key" in machine else machine["secret"],
        scope=job["scope"],
        token_endpoint_auth_method=method,
        introspection_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )
    if "key" in machine:
        # Its defaults are the token endpoint as the audience, and an hour: more than our server takes.
        session.register_client_auth_method(Brief(job["issuer"], alg="ES256"))
    token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", resource=job["url"])
    used = called(job["url"], token)
    alive = session.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
    revoked = session.revoke_token(metadata["revocation_endpoint"], token=token["access_token"])
    dead = session.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
    refused = called(job["url"], token)
    return [
        "refresh_token" not in token or "a refresh token without a user",
        used == 200 or f"used: {used}",
        (alive.get("active") is True and alive.get("client_id") == machine["id"]) or f"introspected: {alive}",
        revoked.status_code == 200 or f"the revocation: {revoked.status_code}",
        dead == {"active": False} or f"introspected after its end: {dead}",
        refused == 401 or f"after the revocation {refused}",
    ], f"scope \"{token.get('scope')}\", active {alive.get('active')}, then {dead.get('active')}, {refused}"


class Brief(PrivateKeyJWT):
    """Assertions that live for a minute."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 60, "jti": generate_token(36)}
        return super().sign(auth, token_endpoint)


def register(metadata, method):
    body = {
        "client_name": f"authlib, {method}",
        "redirect_uris": [REDIRECT],
        "application_type": "native",
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": method,
    }
    answer = requests.post(metadata["registration_endpoint"], json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def called(url, token):
    headers = {"accept": "application/json, text/event-stream", "authorization": f"Bearer {token['access_token']}"}
    return requests.post(url, json=INITIALIZE, headers=headers, timeout=10).status_code


main()
