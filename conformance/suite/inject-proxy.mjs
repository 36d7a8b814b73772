// A reverse proxy that adds `Authorization: Bearer $INJECT_TOKEN`, because the suite's server leg sends no credentials.
// Everything else passes as it came, streams included. The first line it prints is the URL to use instead of TARGET.
//
//   INJECT_TOKEN=.. node inject-proxy.mjs TARGET
import http from 'node:http';

const target = new URL(process.argv[2]);
const token = process.env.INJECT_TOKEN;
if (!token) throw new Error('INJECT_TOKEN is not set');

/** Headers of one connection, not of the message (RFC 9110 section 7.6.1). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/** Node's flat [name, value, name, value, ..] without hop-by-hop headers. */
function endToEnd(raw) {
  return raw.filter((_, i) => !HOP_BY_HOP.has(raw[i - (i % 2)].toLowerCase()));
}

/** `Host` and `Origin` as the client wrote them, with the target's port in place of ours: the server judges them. */
function retarget(value) {
  return value?.replace(new RegExp(`:${proxy.address().port}$`), `:${target.port}`);
}

const proxy = http.createServer((request, response) => {
  const headers = { ...request.headers, authorization: `Bearer ${token}`, connection: 'close' };
  for (const name of ['host', 'origin']) {
    if (name in headers) headers[name] = retarget(headers[name]);
  }
  const { hostname, port } = target;
  const { method, url: path } = request;
  const upstream = http.request({ hostname, port, path, method, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode, endToEnd(answer.rawHeaders));
    answer.pipe(response);
    answer.on('error', () => response.destroy());
  });
  upstream.on('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  // A client that goes away takes its request with it.
  response.on('close', () => upstream.destroy());
  request.pipe(upstream);
});

proxy.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${proxy.address().port}${target.pathname}`));
