#!/usr/bin/env node
// The MCP Inspector's command line. One JSON job a line on stdin, one JSON report a line on stdout.
//
//   node inspector.mjs
//
// Jobs and reports are those of `ts-client.mjs`, as far as the Inspector shows them; it is started once for the list and
// once for each call, and keeps its tokens in between.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Opener } from './opener.mjs';

const LAUNCHER = `${process.env.PEERS_PACKAGES}/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js`;

/** One start of it: `{ status, output, complaint }`. */
export async function inspect(words, env) {
  const child = spawn(process.execPath, [LAUNCHER, ...words], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, complaint, status] = await Promise.all([
    child.stdout.toArray(), child.stderr.toArray(), new Promise((end) => child.on('close', end)),
  ]);
  return { status, output: Buffer.concat(output).toString(), complaint: Buffer.concat(complaint).toString() };
}

/** What it needs to sign in without a terminal and to find its tokens again. */
export function settings(folder, opener) {
  return { ...opener.env, HOME: folder, MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'file' };
}

async function work(job) {
  const report = { answers: [], asked: [], refused: [], protocol: job.era };
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-peers-'));
  const opener = new Opener(folder, job.user);
  const era = job.era === '2026-07-28' ? ['--protocol-era', 'modern'] : [];
  const run = async (...words) => {
    const ran = await inspect(['--cli', job.url, '--transport', 'http', '--format', 'json', '-q', ...era, ...words], settings(folder, opener));
    if (ran.status !== 0) throw Object.assign(new Error(`${ran.output}${ran.complaint}`.slice(0, 1500)), { code: ran.status });
    return JSON.parse(ran.output).result;
  };
  try {
    report.tools = (await run('--method', 'tools/list')).tools.map((tool) => tool.name);
    for (const call of job.calls ?? []) report.answers.push(await step(run, call));
  } catch (error) {
    report.error = described(error);
  } finally {
    report.asked = opener.asked();
    if (report.error) report.error.message += opener.complaints();
    rmSync(folder, { recursive: true, force: true });
  }
  return report;
}

async function step(run, call) {
  try {
    if (call.signal) return { value: (await fetch(call.signal)).status };
    const pairs = Object.entries(call.arguments ?? {}).flatMap(([name, value]) => ['--tool-arg', `${name}=${value}`]);
    const result = await run('--method', 'tools/call', '--tool-name', call.name, ...pairs);
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
