// What the tests in a browser share: barkeep in a folder of its own, and pages of which every complaint is kept.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const required = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; call scripts/browser`);
  return value;
};
const modules = createRequire(join(required("BARKEEP_BROWSER_TOOLS"), "package.json"));
const { chromium } = modules("playwright-core");
export const axe = modules.resolve("axe-core/axe.min.js");
const BARKEEP = required("BARKEEP_BIN");

/** A folder with barkeep in it. */
export class Project {
  constructor(dir = mkdtempSync(join(tmpdir(), "barkeep-page-"))) {
    this.dir = dir;
  }
  write(name, text) {
    writeFileSync(join(this.dir, name), text);
  }
  /** Calls barkeep; its exit code has to be one of `codes`. */
  call(args, codes = [0]) {
    const ended = spawnSync(BARKEEP, args, { cwd: this.dir, encoding: "utf8", maxBuffer: 1 << 28 });
    if (!codes.includes(ended.status)) throw new Error(`barkeep ${args.join(" ")} ended with ${ended.status}: ${ended.stderr}`);
    return ended.stdout;
  }
  /** The rows of a query over the reports. */
  sql(query) {
    const lines = this.call(["--format", "ndjson", "sql", query, "--dir", "reports"]).trim().split("\n").map((line) => JSON.parse(line));
    return lines.filter((line) => line.type !== "exit");
  }
  /** Findings of the newest run that are so. */
  count(condition) {
    const run = `(SELECT max(run_id) FROM runs)`;
    return this.sql(`SELECT count(*) AS n FROM findings WHERE run_id = ${run} AND (${condition})`)[0].n;
  }
  /** Writes the page of the newest run; its path. */
  page(...more) {
    this.call(["report", "html", "latest", "-o", "page.html", ...more]);
    return join(this.dir, "page.html");
  }
}

/** A project with the bars and the job that barkeep brings, checked. */
export function demo(dir) {
  const project = new Project(dir);
  project.call(["demo", "."], [0, 1]);
  for (const name of readdirSync(join(project.dir, "jobs"))) if (name.endsWith(".toml")) project.job = join("jobs", name);
  return project;
}

/** A project over these bars, with rules that a bar can break in several ways. */
export function over(bars) {
  const project = new Project();
  project.write("bars.csv", bars);
  project.write("rules.toml", `[[rule]]\nid = "ohlc"\ncheck = "ohlc"\naction = "quarantine"\nwhy = "a bar that contradicts itself is wrong"\n
[[rule]]\nid = "high"\ncheck = "range"\nfield = "close"\nmax = 100\nseverity = "warn"\n`);
  project.job = "job.toml";
  project.write("job.toml", `name = "demo"\nrules = ["rules.toml"]\n[source.files]\npath = "bars.csv"\n[bars]\nseries = ["symbol"]\ninterval = "1d"
time = { field = "date", formats = ["%Y-%m-%d"] }\n[report]\ndir = "reports"\n`);
  project.call(["check", "job.toml"], [0, 1]);
  return project;
}

let browser;
export async function launch() {
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  browser = await chromium.launch({ executablePath: required("BARKEEP_CHROMIUM"), args });
}
export const close = () => browser.close();

/** Opens a page; `complaints` of it are what its console, its scripts and its requests said. */
export async function open(path, { hash = "", scheme = "light", ready = true, timeout = 20_000, ...more } = {}) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 1280, height: 900 }, ...more });
  const page = await context.newPage();
  const complaints = [];
  const own = pathToFileURL(path).href;
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("request", (request) => request.url().split("#")[0] !== own && complaints.push(`request: ${request.url()}`));
  const began = performance.now();
  await page.goto(own + hash);
  if (ready) await page.waitForSelector("html[data-ready]", { timeout });
  return { page, complaints, took: performance.now() - began, close: () => context.close() };
}

/** The number of findings that the page says it shows. */
export async function shown(page) {
  const text = await page.textContent("#count");
  return Number(text.match(/^[\d,]+/)[0].replaceAll(",", ""));
}

/** Filters by the address, as a link would. */
export async function filter(page, values) {
  const hash = new URLSearchParams(values).toString();
  // The page listens since before: when this listener is called, it has drawn.
  await page.evaluate((hash) => new Promise((done) => {
    if (location.hash.slice(1) === hash) return done();
    addEventListener("hashchange", () => done(), { once: true });
    location.hash = hash;
  }), hash);
}

