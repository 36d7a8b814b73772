// Glewlwyd, as Debian has it: an identity provider in C. Its pages are scripts over an API of JSON, which is also how an
// administrator sets it up.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Browser } from '../browser.mjs';
import { freePort } from '../processes.mjs';

const SCHEMA = '/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz';
const PATIENCE_MS = 20_000;
const MAKE_DATABASE = 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())';

/** Starts one with `users`, and `client` for `redirects`. Its access tokens are JWTs and live for `lifetime` seconds. */
export async function startGlewlwyd({ start, python, redirects, users, client, password, lifetime }) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-peers-')));
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const issuer = `${origin}/api/oidc`;
  // Nothing here has to survive a power cut.
  const schema = `PRAGMA synchronous = OFF;\n${gunzipSync(readFileSync(SCHEMA))}`;
  execFileSync(python, ['-c', MAKE_DATABASE, join(folder, 'database')], { input: schema });
  // Debian has links in its web folder that lead nowhere.
  execFileSync('cp', ['--recursive', '--dereference', '/usr/share/glewlwyd/webapp', join(folder, 'web')]);
  rmSync(join(folder, 'web/config.json'), { recursive: true, force: true });
  cpSync('/etc/glewlwyd/config-2.7.json/config.json', join(folder, 'web/config.json'));
  const file = join(folder, 'glewlwyd.conf');
  writeFileSync(file, configuration({ folder, origin, port }));
  const program = start('glewlwyd', [`--config-file=${file}`], { mute: true });
  const administrator = await signIn(origin);
  for (const name of users) await administrator.add('/user/', { username: name, name, password, scope: ['openid'], enabled: true });
  await administrator.add('/mod/plugin/', { module: 'oidc', name: 'oidc', display_name: 'OIDC', parameters: plugin({ issuer, lifetime }) });
  await administrator.add('/client/', registration(client, redirects));
  return { issuer, end: () => { program.end(); rmSync(folder, { recursive: true, force: true }); } };
}

/** The administrator that every new database has. */
async function signIn(origin) {
  const browser = new Browser();
  const send = async (path, json) => {
    const answer = await browser.visit(new URL(`/api${path}`, origin), { json });
    if (answer.status !== 200) throw new Error(`glewlwyd: ${path}: ${answer.status} ${answer.text.slice(0, 500)}`);
  };
  for (let waited = 0; ; waited += 50) {
    try {
      await send('/auth/', { username: 'admin', password: 'password' });
      return { add: send };
    } catch (error) {
      if (error.code !== 'ECONNREFUSED' || waited > PATIENCE_MS) throw error;
      await pause(50);
    }
  }
}

/** What a script of its login page does for `user`: signs in, grants, and returns where the browser goes on. */
export async function passGlewlwyd(page, { browser, user, password }) {
  const asked = page.searchParams;
  const send = (path, options) => browser.visit(new URL(`/api${path}`, page), options);
  const signedIn = await send('/auth/', { json: { username: user, password } });
  const granted = await send(`/auth/grant/${asked.get('client_id')}`, { method: 'PUT', json: { scope: asked.get('scope') } });
  for (const { url, status } of [signedIn, granted]) if (status !== 200) throw new Error(`glewlwyd: ${url.pathname}: ${status}`);
  return new URL(`${asked.get('callback_url')}&g_continue`);
}

/** Whether a page is one of its logins. */
export const isGlewlwyd = ({ pathname, searchParams }) => pathname === '/login.html' && searchParams.has('callback_url');

function configuration({ folder, origin, port }) {
  const types = { html: 'text/html', js: 'application/javascript', css: 'text/css', json: 'application/json' };
  const values = {
    port,
    bind_address: '127.0.0.1',
    external_url: origin,
    login_url: 'login.html',
    api_prefix: 'api',
    static_files_path: `${folder}/web/`,
    log_mode: 'console',
    log_level: 'WARNING',
    cookie_domain: '127.0.0.1',
    cookie_secure: 0,
    session_expiration: 86_400,
    session_key: 'GLEWLWYD2_SESSION_ID',
    admin_scope: 'g_admin',
    profile_scope: 'g_profile',
    ...Object.fromEntries(['user', 'client', 'scheme', 'plugin'].map((kind) => [`${kind === 'scheme' ? 'user_auth_scheme' : kind}_module_path`, `/usr/lib/glewlwyd/${kind}`])),
    use_secure_connection: false,
    // It wants to be told of them all the same.
    secure_connection_key_file: '/nonexistent',
    secure_connection_pem_file: '/nonexistent',
    admin_session_authentication: 'cookie',
    profile_session_authentication: 'cookie',
    hash_algorithm: 'SHA512',
  };
  return [
    ...Object.entries(values).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
    `database = { type = "sqlite3"; path = "${folder}/database"; };`,
    `static_files_mime_types = ( ${Object.entries(types).map(([name, type]) => `{ extension = ".${name}"; mime_type = "${type}"; }`).join(', ')} )`,
  ].join('\n');
}

/** Code with PKCE, refresh tokens for one use, and nothing that it could do besides. */
function plugin({ issuer, lifetime }) {
  const { privateKey: key, publicKey: cert } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  const on = ['auth-type-code-enabled', 'auth-type-code-revoke-replayed', 'auth-type-refresh-enabled', 'introspection-revocation-allowed', 'introspection-revocation-allow-target-client', 'jwks-show', 'oauth-as-iss-id', 'pkce-allowed', 'pkce-required', 'refresh-token-rolling'];
  const off = ['allow-non-oidc', 'auth-type-client-enabled', 'auth-type-device-enabled', 'auth-type-id-token-enabled', 'auth-type-none-enabled', 'auth-type-password-enabled', 'auth-type-token-enabled', 'oauth-dpop-allowed', 'oauth-par-allowed', 'oauth-par-required', 'oauth-rar-allowed', 'pkce-method-plain-allowed', 'register-client-allowed', 'request-parameter-allow', 'resource-allowed', 'resource-scope-and-client-property', 'session-management-allowed'];
  const all = (names, value) => Object.fromEntries(names.map((name) => [name, value]));
  return {
    ...all(on, true),
    ...all(off, false),
    ...all(['additional-parameters', 'claims', 'introspection-revocation-auth-scope', 'jwks-x5c', 'scope'], []),
    ...all(['email-claim', 'name-claim', 'scope-claim'], 'on-demand'),
    ...{ iss: issuer, 'jwt-type': 'rsa', 'jwt-key-size': '256', key, cert, 'jwks-uri': '', 'subject-type': 'public' },
    ...{ 'access-token-duration': lifetime, 'refresh-token-duration': 86_400, 'code-duration': 600, 'refresh-token-one-use': 'always' },
    ...{ 'allowed-scope': ['openid'], 'restrict-scope-client-property': '', 'session-cookie-name': 'GLEWLWYD2_OIDC_SID', 'session-cookie-expiration': 86_400 },
  };
}

function registration({ id, secret }, redirects) {
  return {
    client_id: id,
    name: 'The proxy',
    enabled: true,
    confidential: true,
    client_secret: secret,
    password: secret,
    authorization_type: ['code', 'refresh_token'],
    redirect_uri: redirects,
    scope: [],
    token_endpoint_auth_method: ['client_secret_basic'],
  };
}
