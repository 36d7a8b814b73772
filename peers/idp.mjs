#!/usr/bin/env node
// An identity provider that others wrote: oidc-provider, in memory, on loopback. Any name signs in with any password.
//
//   node idp.mjs [--port N] [--algorithm ES256] [--lifetime SECONDS] [--resource URL]... [--scope NAME]...
//   {"issuer":"http://127.0.0.1:41234","port":41234}
//
// Clients register themselves (RFC 7591) and must use PKCE. Access tokens are JWTs (RFC 9068) for the resource the
// client names (RFC 8707); a resource that is not listed is refused. The claim `role` is `admin` for alice.
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { Provider, errors } from 'oidc-provider';

const KEYS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  ES384: ['ec', { namedCurve: 'P-384' }],
  ES512: ['ec', { namedCurve: 'P-521' }],
  EdDSA: ['ed25519', {}],
  Ed25519: ['ed25519', {}],
};

/** The signature algorithms it can be switched to. */
export const ALGORITHMS = Object.keys(KEYS);

/**
 * Starts a provider on a free port. What comes back can be changed while it runs: `resources` (a set of URLs),
 * `algorithm` and `lifetime` (seconds) of the next access token. `clients` need not register themselves.
 */
export async function startIdp({ port = 0, algorithm = 'ES256', lifetime = 300, resources = [], scopes = [], clients = [] } = {}) {
  const server = http.createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const keys = ALGORITHMS.map(makeKey);
  const idp = {
    issuer,
    port: server.address().port,
    resources: new Set(resources),
    algorithm,
    lifetime,
    /** A token with other claims than it would issue now, under its own ES256 key. */
    reissue: (claims, typ = 'at+jwt') => signed(claims, typ, keys.find((key) => key.alg === 'ES256')),
    close: () => { server.closeAllConnections(); server.close(); },
  };
  const provider = new Provider(issuer, configuration(idp, { keys, scopes, clients }));
  provider.on('server_error', (_, error) => console.error('identity provider:', error));
  server.on('request', provider.callback());
  return idp;
}

function configuration(idp, { keys, scopes, clients }) {
  return {
    clients,
    jwks: { keys },
    scopes: ['openid', 'offline_access', ...scopes],
    // The scope that a client registers with is what it knows of at that moment: no bound for a later step-up.
    extraClientMetadata: { properties: ['scope'], validator: (ctx, name, value, metadata) => { delete metadata.scope; } },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    responseTypes: ['code'],
    pkce: { required: () => true },
    cookies: { keys: ['a test provider keeps no secret'] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    clockTolerance: 0,
    rotateRefreshToken: true,
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: (_, token) => ({ role: token.accountId === 'alice' ? 'admin' : 'user' }),
    ttl: { AccessToken: () => idp.lifetime, Grant: 3600, IdToken: 3600, Interaction: 3600, RefreshToken: 3600, Session: 3600 },
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client, oneOf) => oneOf,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => {
          if (!idp.resources.has(resource)) throw new errors.InvalidTarget();
          return {
            audience: resource,
            scope: scopes.join(' '),
            accessTokenFormat: 'jwt',
            accessTokenTTL: idp.lifetime,
            jwt: { sign: { alg: idp.algorithm } },
          };
        },
      },
    },
    renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
  };
}

function makeKey(alg) {
  const [type, options] = KEYS[alg];
  return { ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `key-${alg}` };
}

function signed(claims, typ, key) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ alg: key.alg, typ, kid: key.kid })}.${part(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, format: 'jwk', dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      algorithm: { type: 'string' },
      lifetime: { type: 'string', default: '300' },
      resource: { type: 'string', multiple: true },
      scope: { type: 'string', multiple: true },
    },
  });
  const { issuer, port } = await startIdp({
    port: Number(values.port),
    algorithm: values.algorithm,
    lifetime: Number(values.lifetime),
    resources: values.resource,
    scopes: values.scope,
  });
  console.log(JSON.stringify({ issuer, port }));
}
