// Programs beside this one: they answer in lines of JSON, and end with it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';

const MOST_WAIT_MS = 180_000;

/** A child process whose standard output is one JSON value a line, unless it is `mute`: then nobody reads it. */
export class Program {
  constructor(command, args = [], { env, mute = false, stderr = mute ? 'ignore' : 'inherit' } = {}) {
    this.name = args.length ? `${command} ${args.join(' ')}` : command;
    this.child = spawn(command, args, { env, stdio: ['pipe', mute ? 'ignore' : 'pipe', stderr] });
    this.child.on('error', (error) => console.error(`${this.name}: ${error.message}`));
    this.child.stdin.on('error', () => {}); // It ended: the next line that does not come says so.
    if (!mute) this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** The next line, parsed. */
  async read() {
    const { promise: late, reject } = Promise.withResolvers();
    const timer = setTimeout(() => reject(new Error(`${this.name} is silent for ${MOST_WAIT_MS / 1000} s`)), MOST_WAIT_MS);
    try {
      const { value, done } = await Promise.race([this.lines.next(), late]);
      if (done) throw new Error(`${this.name} has ended`);
      return JSON.parse(value);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends one line. */
  tell(value) {
    this.child.stdin.write(`${JSON.stringify(value)}\n`);
  }

  /** Sends one line, and returns the line that answers it. */
  async ask(value) {
    this.tell(value);
    return this.read();
  }

  end() {
    this.child.kill();
  }

  /** Ends it, and returns its exit status. */
  async ended() {
    if (this.child.exitCode !== null) return this.child.exitCode;
    this.end();
    const [status] = await once(this.child, 'exit');
    return status;
  }
}

/** A port that was free a moment ago. */
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
