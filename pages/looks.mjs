// What must be so on every page, however it is looked at.

export const VIEWS = [
  { name: 'light-320', colorScheme: 'light', viewport: { width: 320, height: 640 }, axe: true },
  { name: 'dark-320', colorScheme: 'dark', viewport: { width: 320, height: 640 } },
  { name: 'light-1280', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'dark-1280', colorScheme: 'dark', viewport: { width: 1280, height: 800 }, axe: true },
  { name: 'contrast', forcedColors: 'active', viewport: { width: 640, height: 800 }, pages: ['login_wrong', 'consent_loopback', 'account'] },
  { name: 'print', media: 'print', viewport: { width: 640, height: 800 }, pages: ['consent_loopback', 'account'] },
];

/** All that is wrong with the page that is open, as sentences. */
export async function faults(page, { axe, status }) {
  const found = await page.evaluate(() => {
    const faults = [];
    const root = document.documentElement;
    if (document.styleSheets.length !== 1) faults.push('its style sheet is not applied');
    if (root.scrollWidth > window.innerWidth) faults.push(`it is ${root.scrollWidth} px wide`);
    for (const element of document.querySelectorAll('button, .button, input:not([type=hidden])')) {
      const { width, height } = element.getBoundingClientRect();
      if (width > 0 && Math.min(width, height) < 24) faults.push(`"${element.textContent}" is ${width} by ${height} px`);
    }
    if (!root.lang) faults.push('it has no language');
    return faults;
  });
  const roles = { banner: 1, main: 1 };
  for (const [role, count] of Object.entries(roles)) {
    if ((await page.getByRole(role).count()) !== count) found.push(`it has no ${role}`);
  }
  if ((await page.getByRole('heading', { level: 1 }).count()) !== 1) found.push('it has not one heading');
  if (status >= 400 && !(await page.title()).match(/^(Error|Fehler): /)) found.push('its title does not say that it is an error');
  if (axe) found.push(...(await violations(page, axe)));
  return found;
}

/** What axe-core finds: rules of WCAG 2.2 A and AA, and good practice. */
async function violations(page, axe) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target} (${node.failureSummary.replace(/\s+/g, ' ')})`));
}
