#!/usr/bin/env node
// A server on the TypeScript SDK v2, of both eras.
//
//   node typescript.mjs             on stdio
//   node typescript.mjs http        on a free port; prints {"url": ".."}
//
// Its notes are in memory: whoever shares the process reads them.
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { acceptedContent, createMcpHandler, fromJsonSchema, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

const STEPS = 200;
const STEP_MS = 50;
const notes = [];
const abandoned = new Set();
let changed = () => {};

const text = (value) => ({ content: [{ type: 'text', text: value }] });
const input = (...names) => fromJsonSchema({ type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])), required: names });

function makeServer() {
  const server = new McpServer({ name: 'typescript', version: '1' }, { capabilities: { resources: { subscribe: true } } });
  const tool = (name, inputSchema, run) => server.registerTool(name, { description: name, inputSchema }, run);
  server.registerResource('notes', 'notes://all', { mimeType: 'text/plain' }, (uri) => ({ contents: [{ uri: uri.href, text: notes.join('\n') }] }));
  tool('echo', input('text'), (args) => text(args.text));
  tool('note', input('text'), async (args) => {
    notes.push(args.text);
    await changed(server);
    return text('noted');
  });
  tool('notes', input(), () => text(JSON.stringify(notes)));
  tool('ask', input(), (_, ctx) => {
    const answer = acceptedContent(ctx.mcpReq.inputResponses, 'who');
    if (answer) return text(`hello, ${answer.name}`);
    const requestedSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
    return inputRequired({ inputRequests: { who: inputRequired.elicit({ message: 'Who are you?', requestedSchema }) } });
  });
  tool('slow', input('key'), async ({ key }, ctx) => {
    const { signal, _meta } = ctx.mcpReq;
    for (let progress = 1; progress <= STEPS && !signal.aborted; progress += 1) {
      if (_meta?.progressToken !== undefined) {
        await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken: _meta.progressToken, progress, total: STEPS } });
      }
      await pause(STEP_MS);
    }
    if (signal.aborted) abandoned.add(key);
    return text('done');
  });
  tool('abandoned', input('key'), async ({ key }) => {
    for (let tries = STEPS; tries > 0 && !abandoned.has(key); tries -= 1) await pause(STEP_MS);
    return text(String(abandoned.has(key)));
  });
  tool('quit', input(), () => process.exit(1));
  return server;
}

if (process.argv[2] === 'http') {
  const handler = createMcpHandler(makeServer);
  changed = () => handler.notify.resourceUpdated('notes://all');
  const server = http.createServer(toNodeHandler(handler));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/mcp` }));
} else {
  changed = (server) => server.server.sendResourceUpdated({ uri: 'notes://all' });
  serveStdio(makeServer);
}
