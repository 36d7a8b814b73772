// A plain public client, for requests that no client of others would make.
import { createHash, randomBytes } from 'node:crypto';
import { Browser } from '../browser.mjs';
import { authorize } from '../user-agent.mjs';

const REDIRECT = 'http://127.0.0.1/callback';
const MOST_WAIT_MS = 20_000;

/** One client and one person, who stays signed in. */
export class Plain {
  constructor({ issuer, url }, { user, password }) {
    Object.assign(this, { issuer, url, user, password, browser: new Browser() });
  }

  async register() {
    const answer = await post(`${this.issuer}/oauth/register`, JSON.stringify({
      client_name: 'plain', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none', application_type: 'native',
    }), 'application/json');
    this.id = answer.body.client_id;
    return this;
  }

  /** What redeems a code that the person has just granted. */
  async grant(scope = 'mcp:read') {
    const verifier = randomBytes(32).toString('base64url');
    const page = new URL('/oauth/authorize', this.issuer);
    page.search = new URLSearchParams({
      client_id: this.id,
      response_type: 'code',
      redirect_uri: REDIRECT,
      scope,
      resource: this.url,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const callback = await authorize(page, this.user, { browser: this.browser, password: this.password });
    const code = callback.searchParams.get('code');
    if (!code) throw new Error(`no code: ${callback.searchParams}`);
    return { grant_type: 'authorization_code', redirect_uri: REDIRECT, code, code_verifier: verifier };
  }

  refresh(token) {
    return { grant_type: 'refresh_token', refresh_token: token };
  }

  token(fields) {
    return post(`${this.issuer}/oauth/token`, new URLSearchParams({ ...fields, client_id: this.id }));
  }

  revoke(token) {
    return post(`${this.issuer}/oauth/revoke`, new URLSearchParams({ token, client_id: this.id }));
  }
}

/** `{ status, body }`; it throws when no answer came. */
async function post(url, body, type = 'application/x-www-form-urlencoded') {
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': type }, body, signal: AbortSignal.timeout(MOST_WAIT_MS) });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : {} };
}
