// Packages come from the folder that PEERS_PACKAGES names, so that nothing is installed beside these files:
//
//   PEERS_PACKAGES=DIR node --import ./modules.mjs run.mjs
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

const here = new URL('./', import.meta.url).href;
const packages = pathToFileURL(`${process.env.PEERS_PACKAGES ?? '.'}/`).href;

registerHooks({
  resolve(specifier, context, next) {
    const isPackage = /^[@a-z]/.test(specifier) && !specifier.includes(':');
    const isOurs = context.parentURL?.startsWith(here);
    return next(specifier, isPackage && isOurs ? { ...context, parentURL: packages } : context);
  },
});
