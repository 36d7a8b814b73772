// The README's second line: `portcullis dev -- COMMAND`, in front of a server that others wrote.
import { send } from '../wire.mjs';
import { everything } from './start.mjs';
import { unless } from './visit.mjs';

export function devCases({ start, programs }) {
  return [{ name: 'dev: the first answer of a server on stdio', run: () => dev({ start, programs }) }];
}

async function dev({ start, programs }) {
  const program = start(programs.gateway, ['dev', '--listen', '127.0.0.1:0', '--', ...everything()], { stderr: 'ignore' });
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
