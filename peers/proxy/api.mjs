// An API of the identity provider's: it knows tokens of that provider and nothing of ours.
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const PATIENCE_MS = 30_000;

/**
 * `GET /me` answers `{"subject", "token"}`: whose access token came, and which one of all that ever came, by number.
 * `ask(token)` is what the provider says of a token: the subject, or nothing.
 */
export async function startApi(ask) {
  const seen = [];
  const server = http.createServer(async (request, response) => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const subject = token && await ask(token).catch(() => undefined);
    if (!subject) return response.writeHead(401).end();
    if (!seen.includes(token)) seen.push(token);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ subject, token: `${seen.indexOf(token)}` }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}/me`,
    /** Until every token that has come so far is dead. */
    outlived: async () => {
      let alive = [...seen];
      for (let waited = 0; alive.length && waited < PATIENCE_MS; waited += 250) {
        const answers = await Promise.all(alive.map((token) => ask(token).catch(() => undefined)));
        alive = alive.filter((_, at) => answers[at]);
        if (alive.length) await pause(250);
      }
      if (alive.length) throw new Error(`${alive.length} tokens live longer than ${PATIENCE_MS} ms`);
    },
    close: () => { server.closeAllConnections(); server.close(); },
  };
}

/** Asks a userinfo endpoint, or one like it; `id` is the member that names the user. */
export function userinfo(url, id = 'sub') {
  return async (token) => {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token}`, accept: 'application/json' } });
    return answer.ok ? String((await answer.json())[id]) : undefined;
  };
}
