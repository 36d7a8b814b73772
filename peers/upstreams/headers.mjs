#!/usr/bin/env node
// A server that tells what it received, down to the header fields. Prints {"url": ".."}.
//
// It is of the era of sessions, without having any. What it adds to its answers is nothing that a client should see.
import { once } from 'node:events';
import http from 'node:http';

const UNWANTED = {
  'access-control-allow-origin': '*',
  'set-cookie': 'session=theirs',
  'strict-transport-security': 'max-age=1',
  'www-authenticate': 'Bearer resource_metadata="https://elsewhere.example"',
  'x-powered-by': 'headers',
};

const results = {
  initialize: () => ({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'headers', version: '1' } }),
  ping: () => ({}),
  'tools/list': () => ({ tools: [{ name: 'headers', description: 'What this request brought', inputSchema: { type: 'object' } }] }),
  'tools/call': (_, request) => {
    const { rawHeaders, url } = request;
    const fields = rawHeaders.flatMap((name, at) => (at % 2 ? [] : [[name.toLowerCase(), rawHeaders[at + 1]]]));
    return { content: [{ type: 'text', text: 'see the structured content' }], structuredContent: { url, fields } };
  },
};

const server = http.createServer(async (request, response) => {
  if (request.method !== 'POST') return response.writeHead(405, { allow: 'POST' }).end();
  const { id, method, params = {} } = JSON.parse(Buffer.concat(await request.toArray()));
  if (id === undefined) return response.writeHead(202).end();
  const known = results[method];
  const answer = known ? { result: known(params, request) } : { error: { code: -32601, message: 'Method not found' } };
  response.writeHead(known ? 200 : 404, { 'content-type': 'application/json', ...UNWANTED });
  return response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/mcp` }));
