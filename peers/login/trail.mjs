// What the audit log says about one user, from some moment on.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const PATIENCE_MS = 3_000;

export class Trail {
  #file;
  #subject;
  #start;

  constructor(file, subject) {
    this.#file = file;
    this.#subject = subject;
    this.#start = this.#lines().length;
  }

  /** What happened so far: an event's word, or what became of a request and the tool that it called. */
  get words() {
    return this.#lines().slice(this.#start).map(({ event, outcome, target }) => (event === 'request' ? [outcome, target].filter(Boolean).join(' ') : event));
  }

  /** Faults, unless these words come in this order; others may be between them. */
  async shows(...expected) {
    let missing;
    for (let waited = 0; waited < PATIENCE_MS; waited += 100) {
      missing = firstMissing(this.words, expected);
      if (!missing) return [];
      await pause(100); // Lines are written a moment after the answer.
    }
    return [`the audit log has no "${missing}" where it belongs: ${this.words.join(', ')}`];
  }

  /** Faults, if a request is allowed after `end` and before the next `beginning`. */
  nothingBetween(end, beginning) {
    const words = this.words.slice(this.words.indexOf(end) + 1);
    const until = words.indexOf(beginning);
    const allowed = words.slice(0, until < 0 ? undefined : until).filter((word) => word.startsWith('allowed'));
    return allowed.length ? [`after "${end}" the audit log has "${allowed}"`] : [];
  }

  #lines() {
    const lines = readFileSync(this.#file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
    return lines.filter(({ subject }) => subject === this.#subject);
  }
}

function firstMissing(words, expected) {
  let at = 0;
  for (const word of expected) {
    at = words.indexOf(word, at) + 1;
    if (at === 0) return word;
  }
  return undefined;
}
