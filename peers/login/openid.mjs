// openid-client, a library that knows OAuth and nothing of MCP: every grant and every way of a client to authenticate.
import { createPrivateKey } from 'node:crypto';
import * as openid from 'openid-client';
import { send } from '../wire.mjs';
import { authorize } from '../user-agent.mjs';
import { unless } from '../gateway/visit.mjs';

const REDIRECT = 'http://127.0.0.1/callback';
const insecure = { execute: [openid.allowInsecureRequests] };

/**
 * `{ issuer, url, scope, password, machines }`: the server, its MCP endpoint, the scope to ask for, alice's password, and
 * clients for the grant without a user, `{ name, id, secret?, key? }`.
 */
export function openidCases(place) {
  const ways = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'];
  return [
    ...ways.map((method) => ({ name: `openid-client: a whole life, ${method}`, run: () => life(place, method) })),
    { name: 'openid-client: the person denies', run: () => denied(place) },
    ...place.machines.map((machine) => ({ name: `openid-client: client credentials, ${machine.name}`, run: () => alone(place, machine) })),
  ];
}

/** Registered, signed in, used, refreshed, taken back. */
async function life(place, method) {
  const config = await registered(place, method);
  const first = await signedIn(config, place);
  const used = await send(place.url, { token: first.access_token });
  const second = await openid.refreshTokenGrant(config, first.refresh_token, { resource: place.url });
  const usedAgain = await send(place.url, { token: second.access_token });
  await openid.tokenRevocation(config, second.refresh_token);
  const dead = await send(place.url, { token: second.access_token });
  const gone = await openid.refreshTokenGrant(config, second.refresh_token).then(() => 'a new pair', ({ error }) => error);
  return {
    faults: [
      ...unless(used.status === 200 && usedAgain.status === 200, `used: ${used.status}, ${usedAgain.status}`),
      ...unless(second.refresh_token !== first.refresh_token, 'the refresh token was not rotated'),
      ...unless(second.scope === undefined || second.scope === first.scope || first.scope === undefined, `scope ${first.scope} became ${second.scope}`),
      ...unless(dead.status === 401, `after the revocation ${dead.status}`),
      ...unless(gone === 'invalid_grant', `a revoked refresh token brings ${gone}`),
    ],
    seen: `scope "${first.scope}", expires in ${first.expires_in} s, then revoked: ${dead.status}, ${gone}`,
  };
}

async function denied(place) {
  const config = await registered(place, 'none');
  const error = await signedIn(config, place, { denies: true }).then(() => undefined, (error) => error);
  return {
    faults: unless(error?.error === 'access_denied', `${error?.code}: ${error?.error}`),
    seen: `${error?.constructor.name}: ${error?.error}`,
  };
}

async function alone(place, { id, secret, key }) {
  const authentication = key ? openid.PrivateKeyJwt({ key: await privateKey(key), kid: 'one' }) : openid.ClientSecretBasic(secret);
  const config = await openid.discovery(new URL(place.issuer), id, {}, authentication, { algorithm: 'oauth2', ...insecure });
  const tokens = await openid.clientCredentialsGrant(config, { resource: place.url, scope: place.scope });
  const used = await send(place.url, { token: tokens.access_token });
  const alive = await openid.tokenIntrospection(config, tokens.access_token);
  await openid.tokenRevocation(config, tokens.access_token);
  const dead = await openid.tokenIntrospection(config, tokens.access_token);
  const refused = await send(place.url, { token: tokens.access_token });
  return {
    faults: [
      ...unless(tokens.refresh_token === undefined, 'a refresh token without a user'),
      ...unless(used.status === 200, `used: ${used.status} ${used.challenge}`),
      ...unless(alive.active && alive.client_id === id, `introspected: ${JSON.stringify(alive)}`),
      ...unless(JSON.stringify(dead) === '{"active":false}', `introspected after its end: ${JSON.stringify(dead)}`),
      ...unless(refused.status === 401, `after the revocation ${refused.status}`),
    ],
    seen: `scope "${tokens.scope}", active ${alive.active}, then ${dead.active}, ${refused.status}`,
  };
}

async function registered({ issuer }, method) {
  const pair = method === 'private_key_jwt' && await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const metadata = {
    client_name: `openid-client, ${method}`,
    redirect_uris: [REDIRECT],
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: method,
    ...(pair && { jwks: { keys: [await publicKey(pair)] }, token_endpoint_auth_signing_alg: 'ES256' }),
  };
  const ways = { none: openid.None, client_secret_basic: openid.ClientSecretBasic, client_secret_post: openid.ClientSecretPost };
  const authentication = pair ? openid.PrivateKeyJwt({ key: pair.privateKey, kid: 'one' }) : ways[method]();
  return openid.dynamicClientRegistration(new URL(issuer), metadata, authentication, { algorithm: 'oauth2', ...insecure });
}

async function privateKey(pem) {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return crypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
}

async function publicKey(pair) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
  return { kty, crv, x, y, kid: 'one', alg: 'ES256', use: 'sig' };
}

async function signedIn(config, { url, scope, password }, { denies = false } = {}) {
  const pkceCodeVerifier = openid.randomPKCECodeVerifier();
  const expectedState = openid.randomState();
  const page = openid.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT,
    scope,
    resource: url,
    state: expectedState,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  });
  const callback = await authorize(page, 'alice', { denies, password });
  return openid.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState }, { resource: url });
}
