// What every page must hold: no finding of axe-core in light and dark, and no horizontal scroll at 360 px.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const axe = createRequire(new URL('../peers/package.json', import.meta.url))('axe-core').source;
const PHONE = { width: 360, height: 800 };
const DESK = { width: 1200, height: 800 };

/** Findings in words, none where the page is sound. Leaves the page at desktop width in light colours. */
export async function audit(page, name, shots) {
  const findings = [];
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [PHONE, DESK]) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize(viewport);
      const place = `${name} ${colorScheme} ${viewport.width}`;
      if (shots) await shoot(page, shots, place);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      if (width > viewport.width) findings.push(`${place}: scrolls sideways, ${width} px wide`);
      for (const finding of await check(page)) findings.push(`${place}: ${finding}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  return { findings };
}

async function check(page) {
  await page.evaluate(axe); // by the debugger's hand, so that the page's own policy stays in force
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
    `${id} at ${target.join(' ')}: ${failureSummary.split('\n').slice(1).join(' ').trim()}`));
}

async function shoot(page, folder, place) {
  fs.mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${place.replace(/[^a-z0-9]+/gi, '-')}.png`), fullPage: true });
}
