#!/usr/bin/env node
// What programs find in BROWSER when the person sits in front of Chromium: it has the URL opened there.
//
//   node window.mjs SIGNAL URL [USER]        SIGNAL is the `open` of ../login/signals.mjs; without USER it is PEERS_USER
const [signal, url, user = process.env.PEERS_USER] = process.argv.slice(2);
const target = new URL(signal);
target.searchParams.set('user', user);
target.searchParams.set('url', url);
const answer = await fetch(target);
if (!answer.ok) throw new Error(`${signal}: ${answer.status}`);
