// Identity providers that others wrote, each with the one client that an operator would register there.
import { startIdp } from '../idp.mjs';
import { userinfo } from './api.mjs';
import { startGlewlwyd } from './glewlwyd.mjs';

/** The password of every user, long enough for each provider. */
export const PASSWORD = 'stands at the gate and sings';

export const CLIENT = { id: 'proxy', secret: 'secret-of-the-proxy-of-more-than-32-characters' };

/** Seconds that access tokens of the providers live. */
export const LIFETIME = 3;

/**
 * What is started for `redirects` and `users`: `config` is what our server is told of it, `ask` what it says of an access
 * token, `pages` the origin of its pages where Chromium finds forms on them; `signOut` ends what a user has there.
 */
export const upstreams = {
  'oidc-provider': async ({ redirects }) => {
    const client = { client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: redirects, grant_types: ['authorization_code', 'refresh_token'] };
    const idp = await startIdp({ lifetime: LIFETIME, clients: [client] });
    return { config: { issuer: idp.issuer }, ask: userinfo(`${idp.issuer}/me`), pages: idp.issuer, end: idp.close };
  },

  glewlwyd: async (setting) => {
    const { issuer, end } = await startGlewlwyd({ ...setting, client: CLIENT, password: PASSWORD, lifetime: LIFETIME });
    return { config: { issuer }, ask: userinfo(`${issuer}/userinfo`), end };
  },

  /** No OpenID Connect: opaque tokens, and a page of its own that says who a token is. */
  'django-oauth-toolkit': async ({ start, python, redirects, users }) => {
    const program = start(python, [new URL('django_provider.py', import.meta.url).pathname]);
    program.tell({ client: CLIENT, password: PASSWORD, lifetime: LIFETIME, redirects, users });
    const { origin } = await program.read();
    const config = { authorize: `${origin}/o/authorize/`, token: `${origin}/o/token/`, userinfo: `${origin}/me`, subject: 'id' };
    return { config, ask: userinfo(config.userinfo, 'id'), pages: origin, end: () => program.end() };
  },
};
