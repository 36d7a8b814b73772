// What programs find in BROWSER: it notes the URL, and leaves the walk to a person.
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A program in `folder` that opens URLs for `user` by `person`, a command that takes the URL. */
export class Opener {
  #log;

  constructor(folder, person, user = 'alice') {
    this.#log = join(folder, 'opened');
    const program = join(folder, 'browser');
    const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
    const walk = person.map(quoted).join(' ');
    writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$1" >> ${quoted(this.#log)}\n${walk} "$1" >> ${quoted(`${this.#log}.log`)} 2>&1 &\n`);
    chmodSync(program, 0o700);
    this.env = { BROWSER: program, PEERS_USER: user };
  }

  /** The scope of every authorization request so far. */
  asked() {
    const urls = existsSync(this.#log) ? readFileSync(this.#log, 'utf8').trim().split('\n') : [];
    return urls.map((url) => new URL(url).searchParams.get('scope'));
  }

  /** What the person said of walks that went wrong. */
  complaints() {
    return existsSync(`${this.#log}.log`) ? readFileSync(`${this.#log}.log`, 'utf8') : '';
  }
}
