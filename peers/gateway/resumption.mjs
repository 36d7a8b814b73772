// A stream that breaks: whose it was gets the rest of it, from a server that kept it.
import { setTimeout as pause } from 'node:timers/promises';
import { send } from '../wire.mjs';
import { unless } from './visit.mjs';

const STEPS = 6;
const LONG = { name: 'trigger-long-running-operation', arguments: { duration: 0.6, steps: STEPS }, _meta: { progressToken: 'p' } };

export function resumptionCases(gateway) {
  return [
    { name: 'everything-http: a broken stream goes on (resumption)', run: () => resumed(gateway) },
    { name: 'everything: there is nothing to resume on stdio', run: () => unresumed(gateway) },
  ];
}

async function resumed({ urls, tokens }) {
  const url = urls['everything-http'];
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((user) => open(url, tokens['everything-http'][user])));
  const events = await firstEvents(url, alice);
  const last = events.at(-1)?.id;
  await pause(1_000); // This server gives a stream that goes on only what it has by then.
  const theirs = await read(url, { ...bob, last }, 400);
  const stolen = await read(url, { token: bob.token, session: alice.session, last }, 400);
  const rest = await read(url, { ...alice, last }, 8_000, (text) => text.includes('completed'));
  const progress = [...rest.text.matchAll(/"progress":(\d+)/g)].map(([, step]) => Number(step));
  return {
    faults: [
      ...unless(last, 'no event id came through'),
      ...unless(rest.text.includes('completed'), `the rest: ${rest.status} ${rest.text}`),
      ...unless(progress.at(-1) === STEPS, `progress ${progress}`),
      ...unless(!/"progress"|completed/.test(theirs.text), `bob, in his own session: ${theirs.text}`),
      ...unless(stolen.status === 404, `bob, in hers: ${stolen.status}`),
    ],
    seen: `after event ${last}: progress ${progress} and the answer; bob ${theirs.status} and ${stolen.status}`,
  };
}

async function unresumed({ urls, tokens }) {
  const own = await open(urls.everything, tokens.everything.alice);
  const { status } = await read(urls.everything, { ...own, last: 'any' }, 400);
  return { faults: unless(status === 404, `status ${status}`), seen: String(status) };
}

async function open(url, token) {
  const { headers } = await send(url, { token });
  const session = headers.get('mcp-session-id');
  await send(url, { token, message: { jsonrpc: '2.0', method: 'notifications/initialized' }, headers: sessionHeaders(session) });
  return { token, session };
}

/** Starts a long call, and leaves after the first event of its stream that has a message. */
async function firstEvents(url, { token, session }) {
  const abort = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', authorization: `Bearer ${token}`, ...sessionHeaders(session) },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: LONG }),
    signal: abort.signal,
  });
  const { text } = await until(response, 5_000, (seen) => seen.includes('"progress"'));
  abort.abort();
  return text.split('\n\n').map((event) => ({ id: event.match(/^id: ?(.+)$/m)?.[1] })).filter(({ id }) => id);
}

/** What a stream brings after an event, for a while. */
async function read(url, { token, session, last }, patience, isEnough = () => false) {
  const abort = new AbortController();
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream', authorization: `Bearer ${token}`, 'last-event-id': last, ...sessionHeaders(session) },
    signal: abort.signal,
  });
  const { text } = await until(response, patience, isEnough);
  abort.abort();
  return { status: response.status, text };
}

async function until(response, patience, isEnough) {
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  const late = new Promise((resolve) => { setTimeout(resolve, patience, { done: true }); });
  let text = '';
  while (!isEnough(text)) {
    const { value, done } = await Promise.race([reader.read(), late]);
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  return { text };
}

function sessionHeaders(session) {
  return { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
}
