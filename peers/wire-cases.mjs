// What no client shows: requests by hand. Each case returns `{ faults, seen }`.
import { ALGORITHMS } from './idp.mjs';
import { login } from './login.mjs';
import { call, faults, metadataUrl, send, sendTwice } from './wire.mjs';

/** The server under test lets this page call it. */
const PAGE = 'https://app.example.com';

export function wireCases({ url, idp, tokens }) {
  const shut = { url, status: 401, error: undefined, scope: 'mcp:read' };
  const invalid = { ...shut, error: 'invalid_token' };
  return [
    ...['GET', 'POST', 'DELETE'].map((method) => ({
      name: `no token, ${method} (D6)`,
      run: async () => judged(await send(url, { method, headers: { accept: 'text/plain' } }), shut),
    })),
    {
      name: 'token in the query string',
      run: async () => {
        const seen = await send(`${url}?access_token=${tokens.reader}`);
        return judged(seen, { ...shut, status: 400, error: 'invalid_request' });
      },
    },
    {
      name: 'token in the form body',
      run: async () => {
        const response = await fetch(url, { method: 'POST', body: new URLSearchParams({ access_token: tokens.reader }) });
        return judged({ status: response.status, challenge: response.headers.get('www-authenticate') }, shut);
      },
    },
    { name: 'refused, and the connection stays', run: () => connection(url) },
    { name: 'metadata at the path (D1, D8, D9)', run: () => metadata(metadataUrl(url), { url, idp }) },
    { name: 'metadata at the root (D1, D8, D9)', run: () => metadata(`${new URL(url).origin}/.well-known/oauth-protected-resource`, { url, idp }) },
    { name: 'with a slash at the end (D3)', run: () => slashed(url, tokens) },
    { name: 'preflight of a page we allow (B1)', run: () => preflight(url) },
    { name: 'refusal that a page can read (B2)', run: () => readable(url) },
    { name: 'metadata for any page (B1)', run: () => anyPage(metadataUrl(url)) },
    { name: 'a page we do not allow', run: () => strangePage(url, tokens) },
    { name: 'session of somebody else (M5)', run: () => borrowed(url, tokens) },
    { name: 'wrong issuer under the right key', run: async () => judged(await send(url, { token: tokens.relabelled }), invalid) },
    { name: 'ID token with our audience', run: async () => judged(await send(url, { token: tokens.dressedUp }), invalid) },
    { name: 'expired token, issued anew', run: async () => accepted(await send(url, { token: tokens.reissued })) },
    { name: 'refusal before dispatch (M1)', run: () => undispatched(url, tokens) },
    ...ALGORITHMS.map((algorithm) => ({
      name: `signed with ${algorithm}`,
      run: async () => {
        const seen = await signedWith(algorithm, { url, idp });
        return algorithm === 'PS256' ? judged(seen, invalid) : accepted(seen); // A key kind has one algorithm by default.
      },
    })),
  ];
}

/** A client goes on with the connection of a 401, unless the answer says that it ends. */
async function connection(url) {
  const answers = await sendTwice(url);
  const said = answers[0]?.toLowerCase().includes('connection: close');
  const lives = answers.length === 2 || (answers.length === 1 && said);
  return { faults: lives ? [] : ['the connection was closed unannounced'], seen: answers.map((head) => head.slice(9, 12)).join(', ') };
}

async function metadata(address, { url, idp }) {
  const headers = { 'mcp-protocol-version': '2025-11-25' };
  const [response, head] = [await fetch(address, { headers }), await fetch(address, { method: 'HEAD', headers })];
  const text = await response.text();
  if (!response.ok || !head.ok) return { faults: [`GET ${response.status}, HEAD ${head.status}`], seen: text };
  const document = JSON.parse(text);
  const wrong = [];
  if (document.resource !== url) wrong.push(`resource ${document.resource}`);
  if (document.authorization_servers?.join() !== idp.issuer) wrong.push(`authorization_servers ${document.authorization_servers}`);
  if (/:null|:""/.test(JSON.stringify(document))) wrong.push('an empty member');
  return { faults: wrong, seen: text };
}

/** Both spellings are one resource with one audience, each with metadata that says what its users pasted. */
async function slashed(url, tokens) {
  const other = `${url}/`;
  const refused = await send(other);
  const wrong = faults(refused, { url: other, status: 401, error: undefined, scope: 'mcp:read' });
  const { resource } = await (await fetch(metadataUrl(other))).json();
  if (resource !== other) wrong.push(`resource ${resource}`);
  const { status } = await send(other, { token: tokens.reader });
  if (status !== 200) wrong.push(`a token for ${url}: ${status}`);
  return { faults: wrong, seen: shown(refused) };
}

async function preflight(url) {
  const asked = ['authorization', 'content-type', 'accept', 'mcp-protocol-version', 'mcp-session-id', 'mcp-method', 'mcp-name', 'last-event-id'];
  const headers = { origin: PAGE, 'access-control-request-method': 'POST', 'access-control-request-headers': asked.join() };
  const { status, headers: answer } = await send(url, { method: 'OPTIONS', headers });
  const allowed = list(answer, 'access-control-allow-headers');
  const methods = list(answer, 'access-control-allow-methods');
  return {
    faults: [
      ...(status < 300 ? [] : [`status ${status}`]),
      ...lacks(list(answer, 'access-control-allow-origin'), [PAGE]),
      ...lacks(methods, ['get', 'post', 'delete']),
      ...lacks(allowed, asked),
    ],
    seen: `${status} ${methods.join()} ${allowed.join()}`,
  };
}

async function readable(url) {
  const { status, headers } = await send(url, { headers: { origin: PAGE } });
  const exposed = list(headers, 'access-control-expose-headers');
  return {
    faults: [
      ...(status === 401 ? [] : [`status ${status}`]),
      ...lacks(list(headers, 'access-control-allow-origin'), [PAGE]),
      ...lacks(exposed, ['www-authenticate', 'mcp-session-id', 'mcp-protocol-version']),
    ],
    seen: `${status} exposes ${exposed.join()}`,
  };
}

async function anyPage(address) {
  const { headers } = await fetch(address, { headers: { origin: 'https://elsewhere.example' } });
  const credentials = headers.has('access-control-allow-credentials');
  return { faults: [...lacks(list(headers, 'access-control-allow-origin'), ['*']), ...(credentials ? ['with credentials'] : [])], seen: 'allowed' };
}

async function strangePage(url, tokens) {
  const { status, headers } = await send(url, { token: tokens.reader, headers: { origin: 'https://elsewhere.example' } });
  const allowed = headers.get('access-control-allow-origin');
  return { faults: status === 403 && !allowed ? [] : [`status ${status}, allowed ${allowed}`], seen: `${status}` };
}

/** A session answers to the one who opened it; to others it does not exist. */
async function borrowed(url, tokens) {
  const opened = await send(url, { token: tokens.reader });
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' };
  const message = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
  const own = await send(url, { token: tokens.reader, message, headers: session });
  const other = await send(url, { token: tokens.admin, message, headers: session });
  return { faults: own.status === 200 && other.status === 404 ? [] : [`its own: ${own.status}, another's: ${other.status}`], seen: `${other.status}` };
}

/** The tool counts its calls: what is refused must not be counted. */
async function undispatched(url, tokens) {
  const before = await call(url, { token: tokens.admin, name: 'admin_only' });
  const refused = await call(url, { token: tokens.reader, name: 'admin_only' });
  const after = await call(url, { token: tokens.admin, name: 'admin_only' });
  const count = ({ body }) => Number(body.match(/call (\d+)/)?.[1]);
  const wrong = faults(refused, { url, status: 403, error: 'insufficient_scope', scope: 'mcp:read mcp:admin' });
  if (count(after) !== count(before) + 1) wrong.push(`the tool ran ${count(before)}, then ${count(after)} times`);
  return { faults: wrong, seen: shown(refused) };
}

async function signedWith(algorithm, { url, idp }) {
  const usual = idp.algorithm;
  idp.algorithm = algorithm;
  try {
    const { access_token: token } = await login(idp, { resource: url, scope: 'mcp:read' });
    return await send(url, { token });
  } finally {
    idp.algorithm = usual;
  }
}

function accepted(seen) {
  return { faults: seen.status === 200 ? [] : [`status ${seen.status}, not 200`], seen: shown(seen) };
}

function judged(seen, expected) {
  return { faults: faults(seen, expected), seen: shown(seen) };
}

function shown({ status, challenge }) {
  return challenge ? `${status} ${challenge}` : `${status}`;
}

function list(headers, name) {
  return (headers.get(name) ?? '').toLowerCase().split(/\s*,\s*/).filter(Boolean);
}

function lacks(given, wanted) {
  return wanted.filter((each) => !given.includes(each)).map((each) => `lacks ${each}`);
}
