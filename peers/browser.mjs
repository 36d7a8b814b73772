// A browser without scripts: cookies, redirects that the caller follows, and the headers that browsers add.
import http from 'node:http';

/** Requests of one person, who keeps the cookies. */
export class Browser {
  #cookies = new CookieJar();
  /** Where the person is: what the next request is sent from. Absent: they typed the address. */
  #page;

  /**
   * One request, with a `form`, or with the `json` that a page's script sends. Returns `{ url, status, location, text }`; a
   * page that came is where the next one is sent from.
   */
  async visit(url, { form, json, method } = {}) {
    const body = form?.toString() ?? (json && JSON.stringify(json));
    const type = form ? 'application/x-www-form-urlencoded' : json && 'application/json';
    const { status, headers, text } = await request(url, { method, body, headers: this.#headers(url, type) });
    this.#cookies.store(url, headers['set-cookie'] ?? []);
    const location = headers.location && new URL(headers.location, url);
    if (!location) this.#page = { url, policy: headers['referrer-policy'] };
    return { url, status, location, text };
  }

  /** Leaves the page: the next address is typed. */
  leave() {
    this.#page = undefined;
  }

  #headers(url, type) {
    const from = this.#page;
    const site = !from ? 'none' : from.url.origin === url.origin ? 'same-origin' : from.url.hostname === url.hostname ? 'same-site' : 'cross-site';
    // A page that asks for no referrer sends its forms from nowhere (Fetch, "append a request `Origin` header").
    const origin = from?.policy === 'no-referrer' ? 'null' : from?.url.origin;
    const cookie = this.#cookies.header(url);
    return {
      accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
      'accept-language': 'en',
      'sec-fetch-dest': 'document',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-site': site,
      'sec-fetch-user': '?1',
      ...(cookie && { cookie }),
      ...(type && { 'content-type': type, ...(origin && { origin }) }),
    };
  }
}

/** `fetch` would add its own `Sec-Fetch-Mode`. */
function request(url, { body, method = body === undefined ? 'GET' : 'POST', headers }) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const sent = http.request(url, { method, headers: { ...headers, ...length }, agent: false }, async (answer) => {
    try {
      const text = Buffer.concat(await answer.toArray()).toString();
      resolve({ status: answer.statusCode, headers: answer.headers, text });
    } catch (error) {
      reject(error);
    }
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

/** Cookies by host, name and path. Like browsers, it sends `Secure` ones to loopback without TLS. */
class CookieJar {
  #cookies = new Map();

  store(url, lines) {
    for (const line of lines) {
      const [pair, ...rest] = line.split(/;\s*/);
      const [name, value] = cut(pair);
      const options = new Map(rest.map((part) => cut(part)).map(([key, text]) => [key.toLowerCase(), text]));
      const path = options.get('path') || '/';
      const ends = options.has('max-age') ? Number(options.get('max-age')) <= 0 : Date.parse(options.get('expires')) <= Date.now();
      const key = JSON.stringify([url.hostname, path, name]);
      if (ends) this.#cookies.delete(key);
      else this.#cookies.set(key, { host: url.hostname, path, pair: `${name}=${value}` });
    }
  }

  header(url) {
    const covers = (path) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
    return [...this.#cookies.values()].filter(({ host, path }) => host === url.hostname && covers(path)).map(({ pair }) => pair).join('; ');
  }
}

function cut(text) {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
