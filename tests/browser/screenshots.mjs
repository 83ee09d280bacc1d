// Pictures of the page of a run, light and dark, for the documents.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { close, demo, launch, open } from "./lib.mjs";

const folder = process.argv[2];
await launch();
// Commands on the page name the folder: one that says nothing of who made the picture.
const place = "/tmp/barkeep";
mkdirSync(place);
const project = demo(place);
// Some runs, so that there is something to compare with.
for (let run = 0; run < 8; run++) project.call(["check", project.job, ...(run % 3 ? [] : ["--rule", "ohlc", "--rule", "outlier"])], [0, 1]);
project.call(["check", project.job], [0, 1]);
const path = project.page();
for (const scheme of ["light", "dark"]) {
  const { page, close } = await open(path, { scheme, hash: "#rule=outlier", viewport: { width: 1280, height: 900 } });
  await page.keyboard.press("j");
  await page.evaluate(() => scrollTo(0, 0));
  // What is first, and what is looked at next; what is between is long.
  for (const row of await page.locator("tr[data-rule]").all()) {
    const rule = await row.getAttribute("data-rule");
    await row.evaluate((it, shown) => { it.hidden = !shown; }, ["ohlc", "duplicate", "price-spike", "gap", "outlier", "stale"].includes(rule));
  }
  const box = await page.locator("#findings").boundingBox();
  await page.screenshot({ path: join(folder, `report-${scheme}.png`), fullPage: true, clip: { x: 0, y: 0, width: 1280, height: Math.ceil(box.y + box.height + 24) } });
  await close();
}
await close();
rmSync(place, { recursive: true });
