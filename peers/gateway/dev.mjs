// `portcullis dev` in front of servers that others wrote: as the README's second line has it, and by the list of servers
// that an MCP client keeps.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send } from '../wire.mjs';
import { everything, memory } from './start.mjs';
import { unless } from './visit.mjs';

export function devCases({ start, programs }) {
  const serve = (...words) => start(programs.gateway, ['dev', '--listen', '127.0.0.1:0', ...words], { stderr: 'ignore' });
  return [
    { name: 'dev: a server on stdio, by its command', run: () => byCommand(serve) },
    { name: 'dev: servers by an `mcpServers` list', run: () => byList(serve) },
  ];
}

async function byCommand(serve) {
  const program = serve('--', ...everything());
  const { servers: [{ url }], personas } = await program.read();
  const alone = await send(url);
  const [alice, bob] = await Promise.all(personas.map(({ token }) => send(url, { token })));
  const status = await program.ended();
  return {
    faults: [
      ...unless(alone.status === 401, `without a token ${alone.status}`),
      ...unless([alice, bob].every(({ body }) => body.includes('mcp-servers/everything')), `${alice.body} ${bob.body}`),
      ...unless(status === 0, `exit status ${status}`),
    ],
    seen: `${personas.map(({ name }) => name)}: ${alice.status}, ${alice.body}`,
  };
}

async function byList(serve) {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-peers-'));
  const entry = ([command, ...args], env) => ({ command, args, env });
  const file = join(folder, 'servers.json');
  const list = { everything: entry(everything()), memory: entry(memory(), { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') }) };
  writeFileSync(file, JSON.stringify({ mcpServers: list }));
  const program = serve('--mcp-servers', file);
  const { servers, personas: [{ tokens }] } = await program.read();
  const answers = await Promise.all(tokens.map(({ url, token }) => send(url, { token })));
  const astray = await send(tokens[1].url, { token: tokens[0].token });
  const status = await program.ended();
  rmSync(folder, { recursive: true });
  const names = answers.map(({ body }) => body.match(/"serverInfo":\{"name":"([^"]*)"/)?.[1]);
  return {
    faults: [
      ...unless(names[0] === 'mcp-servers/everything' && names[1] === 'memory-server', `${names}`),
      ...unless(tokens.every(({ url }, at) => url === servers[at].url), 'the tokens are not for these servers'),
      // Each is a resource of its own.
      ...unless(astray.status === 401, `the first server's token at the second: ${astray.status}`),
      ...unless(status === 0, `exit status ${status}`),
    ],
    seen: servers.map(({ url }, at) => `${new URL(url).pathname} is ${names[at] ?? answers[at].status}`).join(', '),
  };
}
