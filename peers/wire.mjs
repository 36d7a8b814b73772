// The same server, by hand: single HTTP requests, and what a challenge must say.
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'wire', version: '1' } },
};

/** One request with a bearer token, if there is one; returns `{ method, status, challenge, headers, body }`. */
export async function send(url, { method = 'POST', token, message = INITIALIZE, headers = {} } = {}) {
  const response = await fetch(url, {
    method,
    headers: {
      accept: 'application/json, text/event-stream',
      ...(method === 'POST' && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: method === 'POST' ? JSON.stringify(message) : undefined,
  });
  return { method, status: response.status, challenge: response.headers.get('www-authenticate'), headers: response.headers, body: await response.text() };
}

/** A tool call of the revision without sessions: one request that stands alone. */
export function call(url, { token, name, input = {} }) {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'wire', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return send(url, {
    token,
    message: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input, _meta: meta } },
    headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name },
  });
}

/**
 * Two requests without a token on one connection, the first with a body that comes late, as many clients send it.
 * Returns the heads of the answers that came.
 */
export async function sendTwice(url, patience = 300) {
  const { hostname, port, host, pathname } = new URL(url);
  const body = JSON.stringify(INITIALIZE);
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const socket = net.connect(Number(port), hostname);
  const ended = new Promise((end) => socket.on('close', end).on('error', end));
  let received = '';
  socket.on('data', (data) => { received += data; });
  socket.write(head);
  await Promise.race([ended, pause(patience)]);
  socket.write(body);
  socket.write(head + body);
  await Promise.race([ended, pause(patience)]);
  socket.destroy();
  return received.split(/(?=HTTP\/1\.1 )/).map((answer) => answer.split('\r\n\r\n')[0]).filter(Boolean);
}

/** What is wrong with a refusal; nothing when it is as it should be. `error` undefined means: there is none. */
export function faults(seen, { url, status, error, scope }) {
  if (!seen) return [`no refusal, expected ${status}`];
  const wrong = [];
  if (seen.status !== status) wrong.push(`status ${seen.status}, not ${status}`);
  if (!seen.challenge?.startsWith('Bearer ')) return [...wrong, `challenge ${seen.challenge}`];
  const given = parameters(seen.challenge);
  const expected = { error, scope: sorted(scope), resource_metadata: metadataUrl(url) };
  for (const [name, value] of Object.entries(expected)) {
    const found = name === 'scope' ? sorted(given[name]) : given[name];
    if (found !== value) wrong.push(`${name}=${found}, not ${value}`);
  }
  return wrong;
}

/** RFC 9728 section 3.1: the well-known name goes before the path. */
export function metadataUrl(url) {
  const { origin, pathname } = new URL(url);
  return `${origin}/.well-known/oauth-protected-resource${pathname}`;
}

/** The quoted parameters; real clients find no others. */
function parameters(challenge) {
  return Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

function sorted(scope) {
  return scope?.split(' ').sort().join(' ');
}
