// Prints what a revision of the protocol requires, as JSON:
// { server: [scenario, ..], client: [scenario, ..], not_scored: [{ scenario, leg, reason }, ..] }
//
//   node requirements.mjs NODE_MODULES REVISION
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [modules, revision] = process.argv.slice(2);
const suite = path.resolve(modules, '@modelcontextprotocol/conformance');
const { parse } = createRequire(path.join(suite, 'package.json'))('yaml');
const text = fs.readFileSync(path.join(suite, 'requirements', `${revision}.yaml`), 'utf8');
console.log(JSON.stringify(parse(text)));
