// What no client shows: requests to the gateway by hand. Each case returns `{ faults, seen }`.
import { readdirSync } from 'node:fs';
import { claims, login } from '../login.mjs';
import { call, faults, metadataUrl, send } from '../wire.mjs';
import { resumptionCases } from './resumption.mjs';
import { unless } from './visit.mjs';

/** Calls of each user at the same time. */
const MANY = 25;
const CALL = { jsonrpc: '2.0', id: 2, method: 'tools/call' };

export function gatewayCases(gateway) {
  const named = { 'tokens of every other server (MT-05)': otherTokens, 'tokens that are wrong': wrongTokens, 'no token (D6)': noToken };
  return [
    ...Object.entries(named).map(([name, run]) => ({ name: `gateway: ${name}`, run: () => run(gateway) })),
    { name: 'gateway: metadata of each server (D4)', run: () => metadata(gateway) },
    { name: 'gateway: paths that nobody has', run: () => strangePaths(gateway) },
    { name: 'gateway: credentials and look-alikes in headers', run: () => lookAlikes(gateway) },
    { name: 'gateway: header fields that do not come back', run: () => fieldsBack(gateway) },
    { name: 'gateway: a subject that is a path', run: () => pathOfSubject(gateway) },
    { name: 'gateway: a server that is not there', run: () => nobody(gateway) },
    { name: 'typescript-shared: the same ids from two users (GW-19)', run: () => sameIds(gateway) },
    ...['everything', 'everything-http'].map((name) => ({ name: `${name}: session of somebody else (M5)`, run: () => borrowed(name, gateway) })),
    ...resumptionCases(gateway),
  ];
}

/** Each server against the tokens of all others. */
async function otherTokens({ urls, tokens }) {
  const wrong = [];
  let count = 0;
  for (const [name, url] of Object.entries(urls)) {
    for (const [other, { alice }] of Object.entries(tokens).filter(([other]) => other !== name)) {
      const seen = await send(url, { token: alice });
      count += 1;
      wrong.push(...faults(seen, { url, status: 401, error: 'invalid_token', scope: 'mcp:read' }).map((fault) => `${other} at ${name}: ${fault}`));
    }
  }
  return { faults: wrong, seen: `${count} refusals` };
}

async function wrongTokens({ urls, tokens, idp, stranger }) {
  const wrong = [];
  for (const [name, url] of Object.entries(urls)) {
    const issued = claims(tokens[name].alice);
    const [head, payload, signature] = tokens[name].alice.split('.');
    const tries = {
      expired: idp.reissue({ ...issued, iat: issued.iat - 7200, exp: issued.exp - 7200 }),
      'of another issuer': (await login(stranger, { resource: url, scope: 'openid mcp:read' })).access_token,
      'of the issuer in name alone': stranger.reissue(issued),
      tampered: [head, payload, signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))].join('.'),
      unsigned: [Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url'), payload, ''].join('.'),
    };
    for (const [kind, token] of Object.entries(tries)) {
      const found = faults(await send(url, { token }), { url, status: 401, error: 'invalid_token', scope: 'mcp:read' });
      wrong.push(...found.map((fault) => `${kind} at ${name}: ${fault}`));
    }
  }
  return { faults: wrong, seen: `${Object.keys(urls).length} servers` };
}

async function noToken({ urls }) {
  const wrong = [];
  for (const [name, url] of Object.entries(urls)) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const found = faults(await send(url, { method }), { url, status: 401, error: undefined, scope: 'mcp:read' });
      wrong.push(...found.map((fault) => `${method} ${name}: ${fault}`));
    }
  }
  return { faults: wrong, seen: `${Object.keys(urls).length} servers` };
}

async function metadata({ urls, idp }) {
  const wrong = [];
  const resources = [];
  for (const url of Object.values(urls)) {
    const { resource, authorization_servers: servers } = await (await fetch(metadataUrl(url))).json();
    resources.push(resource);
    wrong.push(...unless(resource === url, `${url} says ${resource}`), ...unless(servers?.join() === idp.issuer, `${url}: ${servers}`));
  }
  const root = await fetch(`${new URL(urls.files).origin}/.well-known/oauth-protected-resource`);
  wrong.push(...unless(root.status === 404, `at the root: ${root.status}`));
  return { faults: wrong, seen: `${new Set(resources).size} resources, none at the root` };
}

async function strangePaths({ urls, tokens }) {
  const { origin } = new URL(urls.files);
  const answers = await Promise.all(['/', '/mcp', '/files/x', '/fil', '/filesx', '/%66iles', '/headers/../files', '//files'].map(async (path) => {
    const { status } = await send(`${origin}${path}`, { token: tokens.everything.alice });
    return [path, status];
  }));
  // A token for another server opens none of these, and none is a server by another name.
  return { faults: answers.filter(([, status]) => ![400, 401, 404].includes(status)).map(([path, status]) => `${path}: ${status}`), seen: answers.map((each) => each.join(' ')).join(', ') };
}

/** A client that says who it is, in every spelling, is not believed; what it keeps secret goes no further. */
async function lookAlikes({ urls, tokens }) {
  const headers = {
    cookie: 'secret=1',
    'proxy-authorization': 'Basic c2VjcmV0',
    'x-api-key': 'secret',
    'x-user': 'mallory',
    'X_User': 'mallory',
    'x.user': 'mallory',
    'x-client': 'mallory',
    'x-team': 'mallory',
    'x-forwarded-user': 'mallory',
    'x-forwarded-for': '10.0.0.1',
    'x-original-url': '/mallory',
    forwarded: 'for=mallory',
  };
  const wrong = [];
  for (const name of ['headers', 'headers-identity']) {
    const token = tokens[name].bob;
    const { body } = await send(urls[name], { token, message: { ...CALL, params: { name: 'headers', arguments: {} } }, headers });
    const { url, fields } = JSON.parse(body).result.structuredContent;
    const seen = JSON.stringify(fields);
    for (const secret of ['mallory', 'secret', 'c2VjcmV0', '10.0.0.1', token]) wrong.push(...unless(!seen.includes(secret), `${name} received ${secret.slice(0, 20)}`));
    wrong.push(...unless(url === '/mcp', `${name} was asked for ${url}`));
    const told = fields.filter(([field]) => field.startsWith('x')).map((field) => field.join(': ')).sort();
    const expected = name === 'headers' ? [] : [`x-client: ${claims(token).client_id}`, 'x-user: bob'];
    wrong.push(...unless(told.join() === expected.join(), `${name} was told ${told}`));
  }
  return { faults: wrong, seen: 'bob is bob' };
}

async function fieldsBack({ urls, tokens }) {
  const { status, headers } = await send(urls.headers, { token: tokens.headers.bob, message: { ...CALL, params: { name: 'headers', arguments: {} } } });
  const unwanted = ['access-control-allow-origin', 'set-cookie', 'strict-transport-security', 'www-authenticate', 'x-powered-by'].filter((name) => headers.has(name));
  return { faults: [...unless(status === 200, `status ${status}`), ...unwanted.map((name) => `${name} came back`)], seen: [...headers.keys()].join(' ') };
}

/** Nobody gets into another's file by a name. */
async function pathOfSubject({ urls, idp, folder }) {
  const wrong = [];
  const before = readdirSync(folder).length;
  for (const user of ['../alice', '..', '--help', 'a/b']) {
    const { access_token: token } = await login(idp, { resource: urls.memory, scope: 'openid mcp:read', user });
    const { status } = await send(urls.memory, { token });
    wrong.push(...unless(status === 403, `${user}: ${status}`));
  }
  return { faults: wrong, seen: `403 for each, ${before} files before` };
}

async function nobody({ urls, tokens }) {
  const { status, body } = await send(urls.nobody, { token: tokens.nobody.alice });
  const error = JSON.parse(body);
  return {
    faults: [
      ...unless(status === 502, `status ${status}`),
      ...unless(error.jsonrpc === '2.0' && error.id === 1 && error.error?.data?.incident, body),
    ],
    seen: `${status} ${body}`,
  };
}

/** One process serves everybody, and each gets the answer to what it asked. */
async function sameIds({ urls, tokens }) {
  const name = 'typescript-shared';
  const asked = ['alice', 'bob'].flatMap((user) => Array.from({ length: MANY }, (_, at) => ({ user, text: `${user} ${at}` })));
  const answers = await Promise.all(asked.map(({ user, text }) => call(urls[name], { token: tokens[name][user], name: 'echo', input: { text } })));
  const wrong = asked.filter(({ text }, at) => !answers[at].body.includes(`"${text}"`) || !/"id":1\b/.test(answers[at].body));
  return { faults: wrong.map(({ text }) => `${text}: another answer`), seen: `${asked.length} calls with the id 1` };
}

/** A session is its principal's, at its own server. */
async function borrowed(name, { urls, tokens }) {
  const url = urls[name];
  const opened = await send(url, { token: tokens[name].alice });
  const session = opened.headers.get('mcp-session-id');
  const message = { jsonrpc: '2.0', id: 2, method: 'ping' };
  const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
  const use = async (where, token, method = 'POST') => (await send(where, { token, message, headers, method })).status;
  const elsewhere = name === 'everything' ? 'everything-http' : 'everything';
  const seen = {
    'bob posts': await use(url, tokens[name].bob),
    'bob listens': await use(url, tokens[name].bob, 'GET'),
    'bob deletes': await use(url, tokens[name].bob, 'DELETE'),
    'alice at another server': await use(urls[elsewhere], tokens[elsewhere].alice),
  };
  const own = await use(url, tokens[name].alice);
  const closed = await use(url, tokens[name].alice, 'DELETE');
  const after = await use(url, tokens[name].alice);
  return {
    faults: [
      ...unless(session, 'no session'),
      ...Object.entries(seen).filter(([, status]) => status !== 404).map(([who, status]) => `${who}: ${status}`),
      ...unless(own === 200 && closed < 300 && after === 404, `alice: ${own}, deleted ${closed}, then ${after}`),
    ],
    seen: `${Object.values(seen)}; its own ${own}, ${closed}, ${after}`,
  };
}
