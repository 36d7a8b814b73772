// A plain OAuth client, for tokens that no MCP client would ask for.
import { createHash, randomBytes } from 'node:crypto';
import { authorize } from './user-agent.mjs';

const REDIRECT = 'http://127.0.0.1/callback';

/** Registers, signs in as `user` and redeems the code with PKCE; returns the token answer. */
export async function login(idp, { resource, scope, user = 'alice' }) {
  const metadata = await json(fetch(`${idp.issuer}/.well-known/openid-configuration`));
  const client = await json(fetch(metadata.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [REDIRECT],
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
    }),
  }));
  const verifier = randomBytes(32).toString('base64url');
  const url = new URL(metadata.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope,
    resource,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const callback = await authorize(url, user);
  const code = callback.searchParams.get('code');
  if (!code) throw new Error(`no code: ${callback.searchParams}`);
  return json(fetch(metadata.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: client.client_id,
      redirect_uri: REDIRECT,
      code,
      code_verifier: verifier,
      resource,
    }),
  }));
}

/** The claims of a JWT, unverified. */
export function claims(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}

async function json(request) {
  const response = await request;
  const body = await response.json();
  if (!response.ok) throw new Error(`${new URL(response.url).pathname}: ${response.status} ${JSON.stringify(body)}`);
  return body;
}
