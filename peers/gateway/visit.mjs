// One visit of a client to a server behind the gateway: named steps, and cases about what came of them.
import { spoken } from '../cases.mjs';
import { faults } from '../wire.mjs';

export class Visit {
  #steps = [];
  #cases = [];

  constructor(server, url, client, fields) {
    Object.assign(this, { server, url, client, fields });
  }

  /** Adds a step, under a name for its answer. */
  step(name, call) {
    this.#steps.push([name, call]);
  }

  /** Adds a case. `check(report, answers)` returns what is wrong, `show` what is told in any case. */
  case(name, check, show = (report) => `asked for "${report.asked}", speaks ${report.protocol}`) {
    this.#cases.push({ name, check, show });
  }

  /** A case: an answer holds this text. */
  says(name, step, text) {
    this.case(name, (_, answers) => unless(this.text(answers[step]).includes(text), `not "${text}": ${this.text(answers[step])}`), (_, answers) => this.text(answers[step]));
  }

  get job() {
    return { url: this.url, era: this.client.era, calls: this.#steps.map(([, call]) => call), ...this.fields };
  }

  get rows() {
    return (report) => {
      const answers = Object.fromEntries(this.#steps.map(([name], at) => [name, report.answers[at]]));
      return this.#cases.map(({ name, check, show }) => {
        const stopped = report.error && !report.answers.length ? spoken(report.error) : undefined;
        return { what: `${this.server}: ${name}`, faults: check(report, answers), seen: stopped ?? show(report, answers) };
      });
    };
  }

  /** The whole way in, once: refused without a token, signed in, in the era expected. */
  arrival(report, { protocol, tools }) {
    return [
      ...unless(!report.error, report.error && spoken(report.error)),
      ...unless(report.protocol === protocol, `protocol ${report.protocol}`),
      ...faults(report.refused[0], { url: this.url, status: 401, error: undefined, scope: 'mcp:read' }),
      ...unless(report.asked.length >= 1, 'nobody signed in'),
      ...unless(tools.every((tool) => report.tools?.includes(tool)), `lists ${report.tools}`),
    ];
  }

  /** An answer as text: what it says, or the error. */
  text(answer) {
    if (!answer) return 'no answer';
    if (answer.error) return spoken(answer.error);
    const { value } = answer;
    return typeof value === 'string' ? value : value?.result ?? value?.content ?? JSON.stringify(value);
  }
}

export function unless(condition, fault) {
  return condition ? [] : [fault];
}
