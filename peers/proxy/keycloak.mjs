// Keycloak, in its mode for development, with a realm that is imported at its start.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../processes.mjs';
import { userinfo } from './api.mjs';
import { CLIENT, LIFETIME, PASSWORD } from './upstreams.mjs';

const REALM = 'peers';
/** Another client of the realm, for which tokens are had by token exchange. */
const OTHER = 'orders';
const PATIENCE_MS = 600_000;
const ADMINISTRATOR = { username: 'administrator', password: PASSWORD };

/** What starts the distribution in `home`, as `upstreams` has it. */
export const keycloak = (home) => async ({ start, redirects, users }) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-peers-')));
  // It builds itself anew at its first start, in its own folder.
  execFileSync('cp', ['--recursive', `${home}/.`, folder]);
  mkdirSync(join(folder, 'data/import'), { recursive: true });
  writeFileSync(join(folder, `data/import/${REALM}.json`), JSON.stringify(realm(redirects, users)));
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const log = join(folder, 'log');
  // It starts once and serves little: the better half of Java's compiler would not pay.
  const env = { ...process.env, KC_BOOTSTRAP_ADMIN_USERNAME: ADMINISTRATOR.username, KC_BOOTSTRAP_ADMIN_PASSWORD: ADMINISTRATOR.password, JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1' };
  const words = ['start-dev', '--db=dev-mem', '--import-realm', '--http-host=127.0.0.1', `--http-port=${port}`, '--http-management-port=0', `--log=file`, `--log-file=${log}`];
  const program = start('bash', [join(folder, 'bin/kc.sh'), ...words], { mute: true, env });
  const issuer = `${origin}/realms/${REALM}`;
  await ready(`${issuer}/.well-known/openid-configuration`, program, log);
  return {
    config: { issuer, audience: OTHER },
    ask: userinfo(`${issuer}/protocol/openid-connect/userinfo`),
    pages: origin,
    signOut: (user) => signOut(origin, user),
    end: () => { program.end(); rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 }); },
  };
};

async function ready(url, program, log) {
  for (let waited = 0; waited < PATIENCE_MS; waited += 250) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    if (program.child.exitCode !== null) break;
    await pause(250);
  }
  throw new Error(`Keycloak does not come up:\n${readFileSync(log, 'utf8').slice(-4000)}`);
}

/** By an administrator's hand: every session of the user ends. */
async function signOut(origin, user) {
  const call = async (path, options) => {
    const answer = await fetch(`${origin}${path}`, options);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  };
  const body = new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...ADMINISTRATOR });
  const { access_token: token } = await call('/realms/master/protocol/openid-connect/token', { method: 'POST', body });
  const headers = { authorization: `Bearer ${token}` };
  const [{ id }] = await call(`/admin/realms/${REALM}/users?exact=true&username=${encodeURIComponent(user)}`, { headers });
  await call(`/admin/realms/${REALM}/users/${id}/logout`, { method: 'POST', headers });
}

function realm(redirects, users) {
  return {
    realm: REALM,
    enabled: true,
    sslRequired: 'none',
    accessTokenLifespan: LIFETIME,
    revokeRefreshToken: true,
    clients: [{
      clientId: CLIENT.id,
      secret: CLIENT.secret,
      name: 'The proxy',
      publicClient: false,
      standardFlowEnabled: true,
      directAccessGrantsEnabled: false,
      redirectUris: redirects,
      attributes: { 'pkce.code.challenge.method': 'S256', 'standard.token.exchange.enabled': 'true' },
    }, { clientId: OTHER, name: 'Another API', publicClient: false, standardFlowEnabled: false, bearerOnly: false }],
    roles: { client: { [OTHER]: [{ name: 'reader' }] } },
    users: users.map((username) => ({
      username,
      enabled: true,
      email: `${username}@example.com`,
      emailVerified: true,
      firstName: username,
      lastName: 'Example',
      credentials: [{ type: 'password', value: PASSWORD, temporary: false }],
      clientRoles: { [OTHER]: ['reader'] },
    })),
  };
}
