// What happens while a client is at work: it calls a URL, and goes on when that answers.
import { once } from 'node:events';
import http from 'node:http';

/** Serves `actions` by name; each gets the query as an object. Returns `{ url(name, query), close }`. */
export async function serveSignals(actions) {
  const server = http.createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://127.0.0.1');
    try {
      await actions[pathname.slice(1)](Object.fromEntries(searchParams));
      response.end();
    } catch (error) {
      console.error(`${pathname}: ${error.stack}`);
      response.writeHead(500).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return {
    url: (name, query = {}) => `http://127.0.0.1:${port}/${name}?${new URLSearchParams(query)}`,
    close: () => { server.closeAllConnections(); server.close(); },
  };
}
