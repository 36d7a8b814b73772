#!/usr/bin/env node
// The MCP Inspector's command line. One JSON job a line on stdin, one JSON report a line on stdout.
//
//   node inspector.mjs BROWSER...      BROWSER is the command that opens an authorization URL
//
// Jobs and reports are those of `ts-client.mjs`, as far as the Inspector shows them; it is started once for the list and
// once for each call, and keeps its tokens in between. With `scope` that is what its configuration has it ask for at
// first; else it asks for all that the server knows.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../processes.mjs';
import { Opener } from './opener.mjs';

const LAUNCHER = `${process.env.PEERS_PACKAGES}/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js`;
const SERVER = 'peer';
const person = process.argv.slice(2);

async function work(job) {
  const report = { answers: [], asked: [], refused: [], protocol: job.era };
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-peers-'));
  const opener = new Opener(folder, person, job.user);
  const inspect = await inspector(job, folder, opener);
  try {
    report.tools = (await inspect('--method', 'tools/list')).tools.map((tool) => tool.name);
    for (const call of job.calls ?? []) report.answers.push(await step(inspect, call));
  } catch (error) {
    report.error = described(error);
  } finally {
    report.asked = opener.asked();
    if (report.error) report.error.message += opener.complaints();
    rmSync(folder, { recursive: true, force: true });
  }
  return report;
}

/** A function that starts it with more words, and returns the result. Its files, tokens too, are in `folder`. */
async function inspector({ url, era, scope }, folder, opener) {
  const config = join(folder, 'servers.json');
  writeFileSync(config, JSON.stringify({ mcpServers: { [SERVER]: { type: 'streamable-http', url, ...(scope && { oauth: { scopes: scope } }) } } }));
  const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
  const words = ['--cli', '--config', config, '--server', SERVER, '--callback-url', callback, '--format', 'json', '-q'];
  const eras = era === '2026-07-28' ? ['--protocol-era', 'modern'] : [];
  const env = { ...process.env, ...opener.env, HOME: folder, MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'file' };
  return async (...more) => {
    const child = spawn(process.execPath, [LAUNCHER, ...words, ...eras, ...more], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.on('error', () => {}); // It may end before it reads.
    child.stdin.end('y\n'); // To its question whether to ask for more scopes.
    const [output, complaint, code] = await Promise.all([
      child.stdout.toArray(), child.stderr.toArray(), new Promise((end) => child.on('close', end)),
    ]);
    if (code !== 0) throw Object.assign(new Error(Buffer.concat([...output, ...complaint]).toString().slice(0, 1500)), { code });
    return JSON.parse(Buffer.concat(output)).result;
  };
}

async function step(inspect, call) {
  try {
    if (call.signal) return { value: (await fetch(call.signal)).status };
    const pairs = Object.entries(call.arguments ?? {}).flatMap(([name, value]) => ['--tool-arg', `${name}=${value}`]);
    const result = await inspect('--method', 'tools/call', '--tool-name', call.name, ...pairs);
    const text = result.content?.[0]?.text;
    return result.isError ? { error: { type: 'isError', message: text } } : { value: result.structuredContent ?? text };
  } catch (error) {
    return { error: described(error) };
  }
}

function described({ code, message }) {
  return { type: 'Inspector', code, message };
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await work(JSON.parse(line))));
