// Serves the pages as the snapshots of their tests hold them, status and headers included, and keeps what forms post.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

/** Every page by name: {status, headers, html}. A snapshot has a tag a line, and leaves out the style sheet and its hash. */
export function readPages(folder, sheet) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.snap')).sort();
  return new Map(files.map((file) => [file.replace('.snap', ''), readPage(join(folder, file), readFileSync(sheet, 'utf8'))]));
}

function readPage(file, sheet) {
  const [, , ...rest] = readFileSync(file, 'utf8').split('---\n');
  const [head, ...body] = rest.join('---\n').split('\n\n');
  const html = body.join('\n\n').trimEnd().replaceAll('>\n<', '><').replace('</style>', () => `${sheet}</style>`);
  const style = html.slice(html.indexOf('<style>') + '<style>'.length, html.indexOf('</style>'));
  const hash = createHash('sha256').update(style).digest('base64');
  const [status, ...lines] = head.split('\n');
  const headers = lines.map((line) => line.replace("'sha256-..'", `'sha256-${hash}'`).split(/: (.*)/s).slice(0, 2));
  return { status: Number.parseInt(status, 10), headers, html };
}

/** The authorization server as far as a browser sees it: pages by GET, and forms, which are kept and answered. */
export class Fixture {
  posts = [];
  /** How often each path was asked for. */
  gets = new Map();
  /** Where an answered question leads, as it does to a client. */
  leave = '/done';

  constructor(pages) {
    this.pages = pages;
    this.server = createServer((request, response) => this.answer(request, response));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, 'localhost', resolve));
    this.url = `http://localhost:${this.server.address().port}`;
    return this;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  async answer(request, response) {
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request) body += chunk;
      this.posts.push({ path: request.url, fields: Object.fromEntries(new URLSearchParams(body)), headers: request.headers });
      response.writeHead(303, { location: this.leave, 'referrer-policy': 'no-referrer' }).end();
      return;
    }
    this.gets.set(request.url, (this.gets.get(request.url) ?? 0) + 1);
    if (request.url === '/oauth/shown') {
      // Another cookie each time, as the server sets it.
      const cookie = `portcullis-shown=${this.gets.get(request.url)}; Path=/; HttpOnly; SameSite=Lax`;
      response.writeHead(204, { 'cache-control': 'no-store', 'set-cookie': cookie }).end();
      return;
    }
    const page = this.pages.get(request.url.slice(1));
    if (!page) {
      response.writeHead(request.url === '/done' ? 200 : 404, { 'content-type': 'text/plain' }).end('done');
      return;
    }
    response.writeHead(page.status, page.headers);
    response.end(page.html);
  }
}
