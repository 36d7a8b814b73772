// What a server-rendered page holds: its forms, their fields and buttons, as a browser without scripts would see them.

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
/** What a person has to type. */
const TYPED = /^(text|email|search|tel|password)$/;

/** All forms of a page: `{ action, method, fields: [{ name, type, value }], buttons: [{ name, value, label }] }`. */
export function forms(html) {
  const source = html.replaceAll(/<!--[\s\S]*?-->/g, '');
  return [...source.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, tag, body]) => {
    const { action = '', method = 'get' } = attributes(tag);
    const inputs = [...body.matchAll(/<input\b([^>]*)>/gi)].map(([, each]) => ({ type: 'text', ...attributes(each) }));
    const buttons = [...body.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/gi)].map(([, each, label]) => ({ type: 'submit', ...attributes(each), label: plain(label) }));
    const isButton = ({ type }) => /^(submit|image)$/.test(type);
    return {
      action,
      method: method.toLowerCase(),
      fields: inputs.filter(({ name, type }) => name && !/^(submit|image|button|reset)$/.test(type)),
      buttons: [...buttons, ...inputs.filter(isButton).map((each) => ({ ...each, label: each.value ?? '' }))].filter(isButton),
    };
  });
}

/** The text of a page, without its tags. */
export function plain(html) {
  return decoded(html.replaceAll(/<(script|style)\b[\s\S]*?<\/\1>|<[^>]*>/gi, ' ')).replaceAll(/\s+/g, ' ').trim();
}

/** What a browser sends for a form: hidden fields as they are, `type(field)` in what is empty and typed, and the button. */
export function filled({ fields }, button, type) {
  const sent = new URLSearchParams();
  for (const field of fields) {
    if (/^(checkbox|radio)$/.test(field.type) && !('checked' in field)) continue;
    const value = field.value || (TYPED.test(field.type) ? type(field) : undefined);
    sent.append(field.name, value ?? (field.type === 'checkbox' ? 'on' : ''));
  }
  if (button?.name) sent.append(button.name, button.value ?? '');
  return sent;
}

function attributes(tag) {
  const found = tag.matchAll(/([^\s=>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g);
  return Object.fromEntries([...found].map(([, name, ...values]) => [name.toLowerCase(), decoded(values.find((value) => value !== undefined) ?? '')]));
}

function decoded(text) {
  return text.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (all, decimal, hex, name) => {
    if (name) return ENTITIES[name] ?? all;
    return String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex, 16));
  });
}
