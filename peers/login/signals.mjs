// What happens while a client is at work: it calls a URL, and goes on when that answers.
import { once } from 'node:events';
import http from 'node:http';

/** Serves `actions` by name; each gets the query's `user`. Returns `{ url(name, user), close }`. */
export async function serveSignals(actions) {
  const server = http.createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://127.0.0.1');
    try {
      await actions[pathname.slice(1)](searchParams.get('user'));
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
    url: (name, user = '') => `http://127.0.0.1:${port}/${name}?user=${encodeURIComponent(user)}`,
    close: () => { server.closeAllConnections(); server.close(); },
  };
}
