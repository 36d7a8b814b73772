// The public address of one server that is several processes, as a load balancer has it.
import { once } from 'node:events';
import http from 'node:http';

/** Listens at once; `backends`, URLs that are filled in later, get one request after the other in turns. */
export class Relay {
  backends = [];
  #next = 0;

  static async start() {
    const relay = new Relay();
    relay.server = http.createServer((request, response) => relay.#pass(request, response));
    relay.server.listen(0, '127.0.0.1');
    await once(relay.server, 'listening');
    relay.origin = `http://127.0.0.1:${relay.server.address().port}`;
    return relay;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** Method, headers and bodies go on as they are, `Host` too. */
  #pass(request, response) {
    const backend = new URL(this.backends[this.#next++ % this.backends.length]);
    const { method, url: path, headers } = request;
    const onward = http.request({ host: backend.hostname, port: backend.port, method, path, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }
}
