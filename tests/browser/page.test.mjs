// The page of a run in a browser.

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { after, before, test } from "node:test";

import { axe, close, demo, filter, launch, open, over, shown } from "./lib.mjs";

let project, path;
before(async () => {
  await launch();
  project = demo();
  const ids = project.sql("SELECT finding_id FROM findings ORDER BY finding_id LIMIT 2").map((row) => row.finding_id);
  project.call(["label", project.job, ids[0], "known", "--why", "seen before"]);
  project.call(["label", project.job, ids[1], "bad", "--why", "looked at"]);
  project.call(["check", project.job], [0, 1]);
  path = project.page();
});
after(close);

test("a page is small, and nothing complains", async () => {
  assert.ok(statSync(path).size < 300_000, `${statSync(path).size} bytes`);
  const { page, complaints, close } = await open(path);
  assert.equal(await shown(page), project.count("true"));
  assert.equal(await page.locator("h2:visible").count(), 6);
  await page.mouse.move(600, 500);
  await page.keyboard.press("j");
  assert.deepEqual(complaints, []);
  await close();
});

test("every filter shows as many findings as a query over the table", async () => {
  const { page, complaints, close } = await open(path);
  const day = "coalesce(session, CAST(time AS DATE))";
  const text = (word) => `(rule_id LIKE '%${word}%' OR lower(series) LIKE '%${word}%' OR lower(symbol) LIKE '%${word}%' OR lower(message) LIKE '%${word}%')`;
  const names = (column) => project.sql(`SELECT DISTINCT ${column} AS it FROM findings WHERE run_id = (SELECT max(run_id) FROM runs) AND ${column} IS NOT NULL ORDER BY 1`).map((row) => row.it);
  // A day on which something was found, for days at the edges belong to what is between.
  const days = names(day);
  const edge = days[Math.floor(days.length / 2)];
  const cases = [
    ...names("rule_id").map((rule) => [{ rule }, `rule_id = '${rule}'`]),
    ...names("series").map((series) => [{ series }, `(series = '${series}' OR symbol = '${series}')`]),
    ...["error", "warn", "info"].map((severity) => [{ severity }, `severity = '${severity}'`]),
    ...["known", "bad"].map((label) => [{ label }, `label = '${label}'`]),
    [{ label: "none" }, "label IS NULL"],
    [{ label: "any" }, "label IS NOT NULL"],
    [{ new: "1" }, "is_new"],
    [{ from: edge }, `${day} >= DATE '${edge}'`],
    [{ to: edge }, `${day} <= DATE '${edge}'`],
    [{ from: edge, to: edge }, `${day} = DATE '${edge}'`],
    [{ from: "2022-06-01", to: "2024-02-29", severity: "error" }, `${day} BETWEEN DATE '2022-06-01' AND DATE '2024-02-29' AND severity = 'error'`],
    [{ series: "l" }, "(lower(series) LIKE '%l%' OR lower(symbol) LIKE '%l%')"],
    [{ text: "tulip" }, text("tulip")],
    [{ text: "close" }, text("close")],
    [{ text: "ohlc", severity: "error" }, `${text("ohlc")} AND severity = 'error'`],
    [{ rule: "not-there" }, "false"],
  ];
  const wrong = [];
  for (const [values, condition] of cases) {
    await filter(page, values);
    const [is, expected] = [await shown(page), project.count(condition)];
    if (is !== expected) wrong.push(`${JSON.stringify(values)}: ${is} instead of ${expected}`);
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(complaints, []);
  await close();
});

test("controls and address say the same, and a link shows what was seen", async () => {
  const { page, close } = await open(path);
  await page.selectOption("#f-severity", "warn");
  await page.fill("#f-text", "u");
  await page.waitForFunction(() => location.hash.includes("text=u"));
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const [count, chosen] = [await shown(page), await page.textContent("#details .sentence")];
  assert.equal(count > 0 && count < project.count("true"), true);
  const hash = new URL(page.url()).hash;
  await close();
  const again = await open(path, { hash });
  assert.equal(await shown(again.page), count);
  assert.equal(await again.page.inputValue("#f-severity"), "warn");
  assert.equal(await again.page.textContent("#details .sentence"), chosen);
  await again.close();
});

test("rules and cells of the map filter what is below", async () => {
  const { page, close } = await open(path);
  const row = page.locator("tr[data-rule]").first();
  const rule = await row.getAttribute("data-rule");
  await row.locator("button").click();
  assert.equal(await shown(page), project.count(`rule_id = '${rule}'`));
  assert.equal(await row.locator("button").getAttribute("aria-pressed"), "true");
  await row.locator("button").click();
  assert.equal(await shown(page), project.count("true"));
  // Every finding with a day is in a cell.
  assert.match(await page.textContent("#heat-says"), new RegExp(`^${project.count("time IS NOT NULL OR session IS NOT NULL")} findings`));
  await page.selectOption("#heat-of", "missing");
  const missing = project.sql("SELECT sum(bars_affected) AS n FROM findings WHERE run_id = (SELECT max(run_id) FROM runs) AND time_until IS NOT NULL")[0].n;
  assert.match(await page.textContent("#heat-says"), new RegExp(`^${missing} missing bars?`));
  await page.selectOption("#heat-of", "all");
  const box = await page.locator("#heat-svg path.level-4, #heat-svg path.level-1").first().boundingBox();
  assert.ok(box.width > 0 && box.height > 0);
  await page.locator("#heat-svg").click({ position: { x: 10, y: 27 } });
  const series = new URLSearchParams(new URL(page.url()).hash.slice(1)).get("series");
  assert.equal(await shown(page), project.count(`series = '${series}'`));
  await close();
});

test("what is selected is shown with its bar, its chart and its commands", async () => {
  const { page, complaints, close } = await open(path, { hash: "#rule=price-spike" });
  await page.keyboard.press("j");
  const details = page.locator("#details");
  const id = (await details.locator("dd").last().textContent()).trim();
  const [row] = project.sql(`SELECT * FROM findings WHERE run_id = (SELECT max(run_id) FROM runs) AND finding_id LIKE '${id}%'`);
  const sentence = await details.locator(".sentence").textContent();
  assert.equal(sentence, row.message);
  assert.match(sentence, /^close [\d.]+ goes out and comes back/);
  const commands = await details.locator("code").allTextContents();
  assert.ok(commands.some((text) => text.includes("barkeep label") && text.includes(`${id} fine --why`)), commands.join("\n"));
  assert.ok(commands.some((text) => text.startsWith("barkeep explain") && text.includes(`--series ${row.series} --at ${row.time.slice(0, 10)}`)), commands.join("\n"));
  assert.equal(await page.locator("#chart-figure").isVisible(), true);
  assert.equal(await page.locator("#chart-price canvas").count(), 1);
  assert.match(await page.textContent("#band-text"), /^allowed close: [\d.,]+ to [\d.,]+$/);
  const around = project.sql(`SELECT "offset", flagged, close FROM finding_bars WHERE finding_id = '${row.finding_id}' AND run_id = '${row.run_id}' ORDER BY "offset"`);
  assert.equal(await details.locator("tr.flagged").count(), around.filter((bar) => bar.flagged).length);
  const closes = around.filter((bar) => bar.offset >= -5 && bar.offset <= 5).map((bar) => bar.close);
  const cells = await details.locator("tbody tr:has(td:nth-child(7)) td:nth-child(5)").allTextContents();
  assert.deepEqual(cells.map((text) => Number(text.replaceAll(",", ""))), closes);
  // The commands do what they say.
  const label = commands.find((text) => text.includes(" fine --why")).replace("…", "no fault");
  const [, job, , , , why] = label.match(/label (\S+) (\S+) (\S+) (--why) "(.*)"/).slice(0);
  project.call(["label", job, id, "fine", "--why", why]);
  assert.deepEqual(complaints, []);
  await close();
});

test("everything can be done by keys alone", async () => {
  const { page, close } = await open(path);
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.className || document.activeElement.tagName);
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "skip");
  await page.keyboard.press("/");
  assert.equal(await focused(), "f-text");
  await page.keyboard.type("ohlc");
  await page.waitForFunction(() => location.hash === "#text=ohlc");
  // In a field, letters are letters.
  assert.equal(await page.inputValue("#f-text"), "ohlc");
  await page.keyboard.press("Escape");
  const all = await shown(page);
  const selected = () => page.locator("#rows-body tr[aria-selected=true]").getAttribute("aria-rowindex");
  for (let row = 2; row < all + 2; row++) {
    await page.keyboard.press("j");
    assert.equal(await selected(), String(row));
  }
  await page.keyboard.press("j");
  assert.equal(await selected(), String(all + 1), "the last one stays");
  await page.keyboard.press("k");
  assert.equal(await selected(), String(all));
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#details").isVisible(), false);
  assert.equal(await shown(page), all, "the filter stays");
  await page.keyboard.press("Escape");
  assert.equal(await shown(page), project.count("true"));
  await page.locator("tr[data-rule] button").first().focus();
  await page.keyboard.press("Enter");
  assert.notEqual(await shown(page), project.count("true"));
  await page.locator("#coverage-body button").first().focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#coverage-body .months").first().isVisible(), true);
  await close();
});

test("light and dark differ, and both are accessible", async () => {
  const grounds = [];
  for (const scheme of ["light", "dark"]) {
    const { page, close } = await open(path, { scheme, bypassCSP: true });
    await page.keyboard.press("j");
    grounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    await page.addScriptTag({ path: axe });
    const { violations } = await page.evaluate(() => axe.run(document));
    const grave = violations.filter((it) => ["serious", "critical"].includes(it.impact));
    assert.deepEqual(grave.map((it) => `${scheme}: ${it.id}: ${it.nodes.slice(0, 3).map((node) => node.html).join(" | ")}`), []);
    await close();
  }
  assert.notEqual(grounds[0], grounds[1]);
});

test("without scripts there are verdict, rules, map and findings", async () => {
  const { page, complaints, close } = await open(path, { ready: false, javaScriptEnabled: false });
  assert.equal(await page.locator("tr[data-rule]").count() > 5, true);
  assert.equal(await page.locator("#heat-svg").isVisible(), true);
  assert.equal(await page.locator("noscript tbody tr").count(), Math.min(100, project.count("true")));
  assert.equal(await page.locator("#chart").isVisible(), false);
  assert.deepEqual(complaints, []);
  await close();
});

test("the page of all jobs complains of nothing and is accessible", async () => {
  project.call(["report", "html"]);
  const { page, complaints, close } = await open(`${project.dir}/reports/pages/index.html`, { ready: false });
  assert.equal(await page.locator("tbody tr").count(), 1);
  await page.locator("button.copy").click();
  assert.deepEqual(complaints, []);
  await close();
  for (const scheme of ["light", "dark"]) {
    const { page, close } = await open(`${project.dir}/reports/pages/index.html`, { ready: false, scheme, bypassCSP: true });
    await page.addScriptTag({ path: axe });
    const { violations } = await page.evaluate(() => axe.run(document));
    assert.deepEqual(violations.filter((it) => ["serious", "critical"].includes(it.impact)).map((it) => it.id), []);
    await close();
  }
});

test("data that looks like a document does nothing", async () => {
  const names = ["</script><script>document.title='hit'</script>", "<img src=x onerror=document.title='hit'>", "\u202egnp.exe\u200b", "\"' onmouseover=alert(1) x='", "Ünïcode 貴州茅台 🚀", "長".repeat(2000), "-rf", "$(touch hit)`x`"];
  const quoted = (name) => `"${name.replaceAll('"', '""')}"`;
  const bars = names.map((name) => `${quoted(name)},2024-01-02,10,9,9.5,10.5,1000\n`).join("");
  const hostile = over(`symbol,date,open,high,low,close,volume\n${bars}`);
  const { page, complaints, close } = await open(hostile.page());
  const title = await page.title();
  for (const name of names) {
    await filter(page, { series: name });
    assert.equal(await shown(page), 1, name.slice(0, 40));
    await page.keyboard.press("j");
    const text = await page.locator("#details").textContent();
    assert.equal(/[\u202a-\u202e\u200b-\u200f]/.test(text), false);
  }
  assert.equal(await page.title(), title);
  assert.equal(await page.locator("img").count(), 0);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "long names do not widen the page");
  assert.deepEqual(complaints, []);
  await close();
});

const MANY = Number(process.env.BARKEEP_FINDINGS ?? 50_000);
const SERIES = Number(process.env.BARKEEP_SERIES ?? 50);
test(`${MANY} findings of ${SERIES} series are ready in time, and the table holds the rows that are seen`, async () => {
  const days = Math.ceil(MANY / SERIES);
  const parts = ["symbol,date,open,high,low,close,volume\n"];
  for (let row = 0; row < MANY; row++) {
    const date = new Date(Date.UTC(1990, 0, 1 + (row % days))).toISOString().slice(0, 10);
    const price = (10 + (row % 977) / 100).toFixed(2);
    parts.push(`S${String(Math.floor(row / days)).padStart(5, "0")},${date},${price},${(price - 1).toFixed(2)},${(price - 1.5).toFixed(2)},${price},${1000 + (row * 7919) % 100_000}\n`);
  }
  const large = over(parts.join(""));
  const page_of = large.page(...(process.env.BARKEEP_HOLD ? ["--findings", process.env.BARKEEP_HOLD] : []));
  const { page, complaints, took, close } = await open(page_of, { timeout: 60_000 });
  const bytes = statSync(page_of).size;
  console.log(`${MANY} findings: ${(bytes / 1e6).toFixed(1)} MB, ready in ${(took / 1000).toFixed(1)} s`);
  assert.ok(bytes < 15_000_000, `${bytes} bytes`);
  assert.ok(took < 8_000, `${took} ms`);
  assert.equal(await shown(page), MANY, "all are counted");
  assert.ok((await page.locator("#rows-body tr").count()) < 40);
  const held = await page.evaluate(() => Number(document.getElementById("rows-table").getAttribute("aria-rowcount")) - 1);
  // The last row can be reached.
  await page.evaluate(() => { const box = document.getElementById("rows"); box.scrollTop = box.scrollHeight; });
  await page.waitForFunction((row) => document.querySelector("#rows-body tr:last-child")?.getAttribute("aria-rowindex") === String(row), held + 1);
  const began = Date.now();
  await filter(page, { text: "s00007" });
  assert.ok(Date.now() - began < 3_000);
  assert.deepEqual(complaints, []);
  await close();
});

test("10,000 series are usable", async () => {
  const parts = ["symbol,date,open,high,low,close,volume\n"];
  for (let series = 0; series < 10_000; series++) {
    for (const day of ["02", "03"]) parts.push(`S${String(series).padStart(5, "0")},2024-01-${day},10,${day === "02" ? 9 : 11},9.5,10,100\n`);
  }
  const wide = over(parts.join(""));
  const { page, complaints, took, close } = await open(wide.page());
  assert.ok(took < 8_000, `${took} ms`);
  assert.equal(await shown(page), 10_000);
  assert.equal(await page.locator("#heat-svg .rows text").count(), 200);
  assert.match(await page.textContent("#coverage-says"), /100 of 10,000 series/);
  await filter(page, { series: "S09999" });
  assert.equal(await shown(page), 1);
  assert.match(await page.textContent("#coverage-says"), /1 of 1 series/);
  assert.deepEqual(complaints, []);
  await close();
});

test("a page whose data is damaged says so", async () => {
  const html = readFileSync(path, "utf8").replace(/(id="data">)[^<]{40}/, "$1");
  project.write("damaged.html", html);
  const { page, close } = await open(`${project.dir}/damaged.html`, { ready: false });
  await page.waitForSelector("#broken:visible");
  assert.match(await page.textContent("#broken-why"), /cannot be shown/);
  assert.equal(await page.locator("tr[data-rule]").count() > 5, true);
  await close();
});
