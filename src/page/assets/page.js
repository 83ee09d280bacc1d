// The page of a report. Texts that come from data reach the document by `textContent` only, and nothing is asked of a
// network: what the page shows is in its block of data, arrays a column.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const DAY = 86_400_000_000;
  const ROW = 32;
  // Browsers draw no element much taller than this.
  const TALLEST = 6_000_000;
  const COVERAGE_STEP = 100;
  const NOTHING = 0xffffffff;

  /** An element with attributes, and children that are elements or texts. */
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick") made.addEventListener("click", value);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  const thousands = (count) => count.toLocaleString("en-US");
  const counted = (count, noun) => `${thousands(count)} ${count === 1 || noun === "series" ? noun : noun + "s"}`;
  const number = (value) => (!Number.isFinite(value) ? "–" : Math.abs(value) >= 1e15 ? String(value) : value.toLocaleString("en-US", { maximumFractionDigits: 8 }));
  // Names may hold characters that nobody sees, or that turn the text around them: they are shown by their numbers.
  const visible = (text) =>
    text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

  /** A text as one argument of a shell. */
  function typed(text) {
    if (/[\u0000-\u001f\u007f]/.test(text)) {
      const escape = (c) => (c === "'" || c === "\\" ? "\\" + c : /[\u0000-\u001f\u007f]/.test(c) ? "\\" + c.codePointAt(0).toString(8).padStart(3, "0") : c);
      return `$'${[...text].map(escape).join("")}'`;
    }
    return /^[\p{L}\p{N}/._+,:@%=][\p{L}\p{N}/._+,:@%=-]*$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  }

  // Copying: the clipboard of a page from a file is not always allowed, so the text is selected where it fails.
  async function copy(button, code) {
    const text = code.dataset.command ?? code.textContent;
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      const selection = getSelection();
      selection.selectAllChildren(code);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button.copy");
    if (button) copy(button, button.parentElement.querySelector("code"));
  });
  function command(what, text) {
    const code = element("code", {}, visible(text));
    code.dataset.command = text;
    const button = element("button", { type: "button", class: "copy small", "aria-label": `Copy the command: ${what}` }, "Copy");
    return element("li", {}, element("span", { class: "what" }, what), element("span", { class: "command" }, code, button));
  }

  /** The block of data: gzip in base64. */
  async function unpack(text) {
    const binary = atob(text.trim());
    const bytes = new Uint8Array(binary.length);
    for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  /** Values from their differences: the cumulative sums of `steps`, times `unit`; NaN where a step is null. */
  function summed(steps, unit) {
    const values = new Float64Array(steps.length);
    let sum = 0;
    for (let at = 0; at < steps.length; at++) values[at] = steps[at] === null ? NaN : (sum += steps[at]) * unit;
    return values;
  }
  const numbers = (values) => Float64Array.from(values, (value) => (value === null ? NaN : value));
  const places = (values) => Int32Array.from(values, (value) => (value === null ? -1 : value));

  const dateOf = (micros) => new Date(micros / 1000).toISOString().slice(0, 10);
  function timeText(micros, daily) {
    if (Number.isNaN(micros)) return "no timestamp";
    const text = new Date(Math.floor(micros / 1000)).toISOString();
    if (daily) return text.slice(0, 10);
    const fraction = ((micros % 1_000_000) + 1_000_000) % 1_000_000;
    const seconds = text.slice(17, 19);
    const rest = fraction ? `:${seconds}.${String(fraction).padStart(6, "0").replace(/0+$/, "")}` : seconds === "00" ? "" : `:${seconds}`;
    return `${text.slice(0, 10)} ${text.slice(11, 16)}${rest}Z`;
  }
  // The form that flags take: with seconds, and a zone.
  function timeFlag(micros, daily) {
    const text = new Date(Math.floor(micros / 1000)).toISOString();
    const fraction = ((micros % 1_000_000) + 1_000_000) % 1_000_000;
    return daily ? text.slice(0, 10) : fraction ? `${text.slice(0, 19)}.${String(fraction).padStart(6, "0")}Z` : `${text.slice(0, 19)}Z`;
  }

  function main(data) {
    const { run, rules, series, symbols, labels, fields } = data;
    const packed = data.findings;
    const n = packed.rule.length;
    const found = {
      rule: places(packed.rule), series: places(packed.series), severity: places(packed.severity), field: places(packed.field),
      label: places(packed.label), fresh: places(packed.new),
      time: summed(packed.time, packed.unit), until: summed(packed.until, packed.unit), day: summed(packed.day, 1),
      lo: numbers(packed.lo), hi: numbers(packed.hi), observed: numbers(packed.observed),
      open: numbers(packed.open), high: numbers(packed.high), low: numbers(packed.low), close: numbers(packed.close), volume: numbers(packed.volume),
      bars: numbers(packed.bars_affected),
      id: packed.id, message: packed.message, locator: packed.locator, proposed: packed.proposed, cause: packed.cause,
    };
    const SEVERITIES = ["error", "warn", "info"];
    const seriesPlace = new Map(series.map((name, place) => [name, place]));
    const rulePlace = new Map(rules.map((rule, place) => [rule.id, place]));
    const embeddedAll = n === run.findings;

    /* ---- filters, which live in the address ---- */
    const KEYS = ["rule", "severity", "series", "from", "to", "text", "label", "new", "finding", "sort"];
    let filter = {};
    let order = new Uint32Array(0);
    let chosen = -1; // the finding that is selected
    let fitting = n; // findings that meet the filter

    function readAddress() {
      const given = new URLSearchParams(location.hash.slice(1));
      filter = Object.fromEntries(KEYS.filter((key) => given.get(key)).map((key) => [key, given.get(key)]));
    }
    function writeAddress() {
      const given = new URLSearchParams();
      for (const key of KEYS) if (filter[key]) given.set(key, filter[key]);
      const hash = given.toString();
      if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
    }
    /** Changes some filters and shows what they leave. */
    function change(values) {
      for (const [key, value] of Object.entries(values)) {
        if (value) filter[key] = value;
        else delete filter[key];
      }
      if (!("finding" in values)) delete filter.finding;
      apply();
    }

    const lowerNames = series.map((name) => name.toLowerCase());
    const lowerSymbols = symbols.map((name) => (name ?? "").toLowerCase());
    const lowerRules = rules.map((rule) => rule.id.toLowerCase());
    let lowered = null; // messages, once somebody searches

    /** Which series a text means: those called so, else those with it in their names. */
    function meantSeries(text) {
      const meant = new Uint8Array(series.length);
      let exact = false;
      series.forEach((name, place) => { if (name === text || symbols[place] === text) { meant[place] = 1; exact = true; } });
      if (!exact) {
        const part = text.toLowerCase();
        for (let place = 0; place < series.length; place++) meant[place] = lowerNames[place].includes(part) || lowerSymbols[place].includes(part) ? 1 : 0;
      }
      return meant;
    }
    const dayOf = (text) => { const time = Date.parse(`${text}T00:00:00Z`); return Number.isNaN(time) ? null : Math.round(time / 86_400_000); };

    // The page holds the beginnings of ids, which commands take as well.
    const sameId = (id, text) => id.startsWith(text) || (text.length > id.length && text.startsWith(id));

    function select() {
      const rule = filter.rule === undefined ? -1 : rulePlace.get(filter.rule) ?? -2;
      const severity = filter.severity === undefined ? -1 : SEVERITIES.indexOf(filter.severity);
      const meant = filter.series === undefined ? null : meantSeries(filter.series);
      const from = filter.from === undefined ? null : dayOf(filter.from);
      const to = filter.to === undefined ? null : dayOf(filter.to);
      const fresh = filter.new === "1";
      const label = filter.label === undefined ? null : filter.label === "none" ? -1 : filter.label === "any" ? "any" : labels.indexOf(filter.label);
      const text = filter.text?.toLowerCase();
      let inSeries = null;
      let inRule = null;
      if (text) {
        lowered ??= found.message.map((message) => message.toLowerCase());
        inSeries = Uint8Array.from(series, (_, place) => (lowerNames[place].includes(text) || lowerSymbols[place].includes(text) ? 1 : 0));
        inRule = Uint8Array.from(rules, (_, place) => (lowerRules[place].includes(text) ? 1 : 0));
      }
      const rows = new Uint32Array(n);
      let count = 0;
      for (let at = 0; at < n; at++) {
        if (rule !== -1 && found.rule[at] !== rule) continue;
        if (severity !== -1 && found.severity[at] !== severity) continue;
        if (fresh && found.fresh[at] !== 1) continue;
        if (label !== null && (label === "any" ? found.label[at] < 0 : found.label[at] !== label)) continue;
        if (meant !== null && !meant[found.series[at]]) continue;
        if (from !== null && !(found.day[at] >= from)) continue;
        if (to !== null && !(found.day[at] <= to)) continue;
        if (text && !inRule[found.rule[at]] && !inSeries[found.series[at]] && !lowered[at].includes(text) && !sameId(found.id[at], text)) continue;
        rows[count++] = at;
      }
      order = rows.slice(0, count);
      sort();
      fitting = count;
    }
    const rank = (names) => {
      const sorted = names.map((_, place) => place).sort((a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : 0));
      const ranks = new Int32Array(names.length);
      sorted.forEach((place, at) => (ranks[place] = at));
      return ranks;
    };
    const ranks = { series: rank(series), rule: rank(rules.map((rule) => rule.id)) };
    /** The data is in the order of gravity; the other orders are over it. */
    function sort() {
      const [by, way] = (filter.sort ?? "").split("-");
      const sign = way === "down" ? -1 : 1;
      const last = Infinity * sign;
      const keys = {
        time: (at) => (Number.isNaN(found.time[at]) ? last : found.time[at]),
        series: (at) => ranks.series[found.series[at]],
        rule: (at) => ranks.rule[found.rule[at]],
      };
      const key = keys[by];
      if (key) order.sort((a, b) => sign * (key(a) - key(b) || 0) || a - b);
    }

    /** How many findings of the run meet the filter, exactly, where the page has not all of them; else `null`. */
    function exactCount() {
      if (filter.series || filter.from || filter.to || filter.text) return null;
      let sum = 0;
      for (const [rule, severity, fresh, label, count] of data.counts) {
        if (filter.rule !== undefined && rules[rule].id !== filter.rule) continue;
        if (filter.severity !== undefined && SEVERITIES[severity] !== filter.severity) continue;
        if (filter.new === "1" && fresh !== 1) continue;
        if (filter.label === "none" && label !== null) continue;
        if (filter.label === "any" && label === null) continue;
        if (filter.label !== undefined && filter.label !== "none" && filter.label !== "any" && labels[label] !== filter.label) continue;
        sum += count;
      }
      return sum;
    }
    function countText() {
      if (embeddedAll) return fitting === n ? counted(n, "finding") : `${thousands(fitting)} of ${counted(n, "finding")}`;
      const exact = exactCount();
      if (exact === null) return `${thousands(fitting)} of the ${counted(n, "finding")} that this page holds; the run has ${thousands(run.findings)}`;
      return `${counted(exact, "finding")}, ${thousands(fitting)} of them in this page`;
    }

    /* ---- the table of findings: the rows that are seen, and no others ---- */
    const box = $("rows"), tall = $("rows-tall"), body = $("rows-body");
    let first = -1;
    const shownRows = () => Math.max(1, Math.floor((box.clientHeight - 34) / ROW));
    const tallness = () => Math.min(order.length * ROW, TALLEST) + 36;
    function firstRow() {
      const room = box.scrollHeight - box.clientHeight;
      const last = Math.max(0, order.length - shownRows());
      return room <= 0 ? 0 : Math.min(last, Math.round((box.scrollTop / room) * last));
    }
    function scrollTo(row) {
      const last = Math.max(0, order.length - shownRows());
      const room = box.scrollHeight - box.clientHeight;
      if (last > 0) box.scrollTop = (Math.min(row, last) / last) * room;
    }
    function cell(text, name, title) {
      return element("td", { class: name, title: title ?? text }, text);
    }
    function draw(force) {
      const at = firstRow();
      if (at === first && !force) return;
      first = at;
      const rows = [];
      for (let row = at; row < Math.min(order.length, at + shownRows()); row++) {
        const finding = order[row];
        const severity = SEVERITIES[found.severity[finding]] ?? "";
        const name = visible(series[found.series[finding]] ?? "");
        const label = found.label[finding] < 0 ? "" : labels[found.label[finding]];
        const time = timeText(found.time[finding], run.daily);
        rows.push(
          element("tr", { "aria-rowindex": row + 2, "aria-selected": finding === chosen ? "true" : "false", "data-finding": finding },
            element("td", { class: `c-severity severity-${severity}` }, severity + (run.since && found.fresh[finding] === 1 ? ", new" : "")),
            cell(visible(rules[found.rule[finding]].id), "c-rule"), cell(name, "c-series name"), cell(time, "c-time"),
            cell(visible(found.message[finding]), "c-message"), cell(label, "c-label")));
      }
      body.replaceChildren(...rows);
    }
    box.addEventListener("scroll", () => draw(false), { passive: true });
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row && !getSelection().toString()) choose(Number(row.dataset.finding), true);
    });
    new ResizeObserver(() => draw(true)).observe(box);

    function choose(finding, open) {
      chosen = finding;
      filter.finding = open && finding >= 0 ? found.id[finding] : undefined;
      writeAddress();
      showDetails(open ? finding : -1);
      showChart(finding);
      draw(true);
    }
    /** Selects the finding `step` rows on, and brings it into view. */
    function go(step) {
      if (!order.length) return;
      const at = chosen < 0 || !$("split").classList.contains("open") ? (step > 0 ? -1 : order.length) : order.indexOf(chosen);
      const row = Math.max(0, Math.min(order.length - 1, at + step));
      if (row < first || row >= first + shownRows()) scrollTo(step > 0 ? row - shownRows() + 2 : row);
      choose(order[row], true);
      if (box.getBoundingClientRect().bottom > innerHeight || box.getBoundingClientRect().top < 0) $("findings").scrollIntoView({ block: "start" });
    }

    /* ---- one finding ---- */
    const bars = { ...data.bars, finding: summed(data.bars.finding, 1), time: summed(data.bars.time, data.bars.unit) };
    const barsOf = new Map(); // finding -> [first, last + 1] in the columns of bars
    for (let at = 0; at < bars.finding.length; at++) {
      const span = barsOf.get(bars.finding[at]);
      if (span) span[1] = at + 1;
      else barsOf.set(bars.finding[at], [at, at + 1]);
    }
    const limit = (value) => number(Number(value.toPrecision(8)));
    function allowed(finding) {
      const [lo, hi] = [found.lo[finding], found.hi[finding]];
      if (Number.isNaN(lo) && Number.isNaN(hi)) return null;
      if (Number.isNaN(lo)) return `up to ${limit(hi)}`;
      if (Number.isNaN(hi)) return `${limit(lo)} and above`;
      return `${limit(lo)} to ${limit(hi)}`;
    }
    const JOB = run.job_file ? typed(run.job_file) : "JOB";
    const DIR = `--dir ${typed(run.dir)}`;
    const argument = (flag, text) => (text.startsWith("-") ? `${flag}=${typed(text)}` : `${flag} ${typed(text)}`);
    /** What the bar may have been: a number, or numbers by field. */
    function proposal(json) {
      const value = JSON.parse(json);
      return value !== null && typeof value === "object" ? Object.entries(value).map(([field, of]) => `${field} ${of}`).join(", ") : String(value);
    }
    function explainCommand(finding) {
      const time = found.time[finding];
      if (Number.isNaN(time)) return null;
      return `barkeep explain ${JOB} ${argument("--series", series[found.series[finding]])} --at ${timeFlag(time, run.daily)}`;
    }
    function commandsOf(finding) {
      const id = found.id[finding];
      const shown = `barkeep report show ${typed(run.id)} ${argument("--rule", rules[found.rule[finding]].id)} ${argument("--series", series[found.series[finding]])} ${DIR}`;
      const list = [command("Show the findings of this rule and series", shown)];
      const explain = explainCommand(finding);
      if (explain) list.push(command("Explain the bar: what each rule makes of it", explain));
      list.push(command("The bar is right, a false alarm", `barkeep label ${JOB} ${id} fine --why "…"`));
      list.push(command("The bar is wrong, and that is known", `barkeep label ${JOB} ${id} known --why "…"`));
      list.push(command("The bar is wrong, the finding is right", `barkeep label ${JOB} ${id} bad --why "…"`));
      const moved = data.moved[id];
      if (moved) {
        list.push(command("Show the row in quarantine", `barkeep quarantine show ${JOB} ${typed(moved)}`));
        list.push(command("Put the row back", `barkeep quarantine restore ${JOB} ${typed(moved)}`));
      }
      return list;
    }
    function neighbours(finding) {
      const span = barsOf.get(finding);
      if (!span) return null;
      const rows = [];
      const flagged = [];
      for (let at = span[0]; at < span[1]; at++) if (bars.flagged[at]) flagged.push(bars.offset[at]);
      const last = flagged.length ? Math.max(...flagged) : 0;
      for (let at = span[0]; at < span[1]; at++) {
        if (bars.offset[at] < -5 || bars.offset[at] > last + 5) continue;
        const cells = ["open", "high", "low", "close", "volume"].map((name) => element("td", { class: "number" }, number(bars[name][at] ?? NaN)));
        rows.push(element("tr", { class: bars.flagged[at] ? "flagged" : null },
          element("th", { scope: "row" }, timeText(bars.time[at], run.daily)), ...cells, element("td", {}, bars.flagged[at] ? "flagged" : "")));
      }
      const head = ["Time", "Open", "High", "Low", "Close", "Volume", ""].map((name, place) =>
        name ? element("th", { scope: "col", class: place ? "number" : null }, name) : element("td"));
      return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The bar and its neighbours" },
        element("table", {}, element("caption", { class: "unseen" }, "The bar and its neighbours"), element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
    }
    function showDetails(finding) {
      const panel = $("details");
      $("split").classList.toggle("open", finding >= 0);
      panel.hidden = finding < 0;
      if (finding < 0) return panel.replaceChildren();
      const rule = rules[found.rule[finding]];
      const pairs = [];
      const pair = (name, ...value) => pairs.push(element("dt", {}, name), element("dd", {}, ...value));
      const severity = SEVERITIES[found.severity[finding]] ?? "";
      pair("Rule", `${visible(rule.id)} (${severity}, ${rule.action})`);
      if (rule.why) pair("Why it exists", visible(rule.why));
      pair("Series", element("span", { class: "name" }, visible(series[found.series[finding]])));
      pair("Time", timeText(found.time[finding], run.daily) + (Number.isNaN(found.until[finding]) ? "" : ` to ${timeText(found.until[finding], run.daily)}`));
      if (found.bars[finding] > 1) pair("Bars", thousands(found.bars[finding]));
      if (!Number.isNaN(found.observed[finding])) pair("Observed", number(found.observed[finding]));
      if (allowed(finding)) pair("Allowed", allowed(finding));
      if (found.proposed[finding]) pair("In line would be", visible(proposal(found.proposed[finding])));
      if (found.cause[finding] !== null) pair("Cause", visible(data.causes[found.cause[finding]]));
      if (found.locator[finding]) pair("Where", element("span", { class: "mono" }, visible(found.locator[finding])));
      if (found.label[finding] >= 0) pair("Label", labels[found.label[finding]]);
      if (run.since) pair("Since", found.fresh[finding] === 1 ? `new: not in run ${run.since}` : "it was in the run before");
      pair("Id", element("span", { class: "mono" }, found.id[finding]));
      const parts = [element("h3", {}, "Finding"), element("p", { class: "sentence" }, visible(found.message[finding])), element("dl", {}, ...pairs)];
      const whole = ["open", "high", "low", "close", "volume"].filter((name) => !Number.isNaN(found[name][finding]));
      if (whole.length) {
        parts.push(element("h3", {}, "The bar"), element("table", {},
          element("thead", {}, element("tr", {}, ...whole.map((name) => element("th", { scope: "col", class: "number" }, name)))),
          element("tbody", {}, element("tr", {}, ...whole.map((name) => element("td", { class: "number" }, number(found[name][finding])))))));
      }
      const around = neighbours(finding);
      if (around) parts.push(element("h3", {}, "Its neighbours"), around);
      const others = sameBar(finding);
      if (others.length) {
        parts.push(element("h3", {}, "What other rules say of this bar"), element("table", {}, element("tbody", {}, ...others.map((other) =>
          element("tr", {}, element("th", { scope: "row" }, visible(rules[found.rule[other]].id)), element("td", {}, visible(found.message[other])))))));
      }
      parts.push(element("h3", {}, "Commands"), element("ul", { class: "commands" }, ...commandsOf(finding)));
      const close = element("button", { type: "button", class: "small", onclick: () => { choose(-1, false); apply(); box.focus(); } }, "Close (Esc)");
      panel.replaceChildren(element("div", { class: "tools" }, element("span", { class: "push" }, close)), ...parts);
      panel.scrollTop = 0;
    }
    function sameBar(finding) {
      const others = [];
      const time = found.time[finding];
      if (Number.isNaN(time)) return others;
      for (let at = 0; at < n && others.length < 20; at++) {
        if (at !== finding && found.series[at] === found.series[finding] && found.time[at] === time) others.push(at);
      }
      return others;
    }

    /* ---- chart ---- */
    const probe = element("span", { hidden: true });
    document.body.append(probe);
    function colour(name) {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    }
    let plots = [];
    let charted = -1;
    function showChart(finding) {
      charted = finding;
      plots.forEach((plot) => plot.destroy());
      plots = [];
      const empty = $("chart-empty"), figure = $("chart-figure");
      const span = finding < 0 ? undefined : barsOf.get(finding);
      figure.hidden = !span;
      empty.hidden = !!span;
      if (finding < 0) return empty.replaceChildren("Choose a finding to see its bars.");
      if (!span) {
        const explain = explainCommand(finding);
        const about = `The bars around this finding are not in the page: it keeps those around the first 200 findings of a rule.`;
        return empty.replaceChildren(element("p", {}, about), explain ? element("ul", { class: "commands" }, command("This draws them", explain)) : "");
      }
      const rule = rules[found.rule[finding]];
      $("chart-title").textContent = `${visible(series[found.series[finding]])}, ${timeText(found.time[finding], run.daily)}: ${visible(rule.id)}`;
      $("chart-message").textContent = visible(found.message[finding]);
      // A value that is not there is NaN, which nothing draws.
      const part = (name) => Array.from(bars[name].slice(span[0], span[1]), (value) => value ?? NaN);
      const times = part("time"), flags = part("flagged"), offsets = part("offset");
      const [open, high, low, close, volume] = ["open", "high", "low", "close", "volume"].map(part);
      const x = times.map((_, at) => at);
      // A gap lies between the bar before and the one behind.
      const hole = flags.includes(1) ? -1 : offsets.indexOf(0);
      const field = found.field[finding] < 0 ? "" : fields[found.field[finding]];
      const lo = found.lo[finding], hi = found.hi[finding];
      // What a rule allows is a band of prices, or of volumes, where what it observed is one.
      const column = { open, high, low, close, volume }[field];
      const isOne = column !== undefined && flags.some((flag, at) => flag && Math.abs(column[at] - found.observed[finding]) <= 1e-9 * Math.abs(column[at]));
      const band = isOne && !(Number.isNaN(lo) && Number.isNaN(hi)) ? { of: field === "volume" ? "volume" : "price", lo, hi } : null;
      $("band-key").hidden = !band;
      $("band-text").textContent = band ? `allowed ${field}: ${allowed(finding)}` : "";
      $("flag-text").textContent = hole >= 0 ? "bars are missing here" : counted(flags.filter(Boolean).length, "flagged bar");

      const finite = (values) => values.filter((value) => value !== null && Number.isFinite(value));
      const prices = finite([...open, ...high, ...low, ...close, ...(band?.of === "price" ? [band.lo, band.hi] : [])]);
      const volumes = finite([...volume, ...(band?.of === "volume" ? [band.lo, band.hi] : [])]);
      // The labels decide how wide the axis is: a fixed width would cut long prices.
      // Both axes are as wide as the wider one, so that bars stand above their volumes.
      let widestAxis = 0;
      const size = (plot, values) => {
        if (!values) return Math.max(50, widestAxis);
        plot.ctx.save();
        plot.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
        const widest = Math.max(0, ...values.map((value) => plot.ctx.measureText(value ?? "").width));
        plot.ctx.restore();
        return (widestAxis = Math.max(widestAxis, Math.ceil(widest / devicePixelRatio) + 18));
      };
      const width = Math.max(320, figure.clientWidth - 32);
      const common = (height, range, what) => {
        const least = range.length ? Math.min(...range) : 0;
        const most = range.length ? Math.max(...range) : 1;
        const room = (most - least || Math.abs(most) || 1) * 0.06;
        const quiet = colour("quiet"), line = colour("line");
        return {
          width, height, padding: [10, 46, what === "volume" ? 10 : 0, 0], tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"), legend: { show: false },
          cursor: { sync: { key: "bars" }, points: { show: false }, drag: { x: true, y: false } },
          scales: { x: { time: false, range: (_, from, to) => [from - 0.5, to + 0.5] }, y: { range: () => [what === "volume" ? 0 : least - room, most + room] } },
          axes: [
            // Bars stand side by side, without the closed hours; the labels are those of their timestamps.
            { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "12px system-ui, sans-serif", incrs: [1, 2, 5, 10, 20, 50, 100], space: run.daily ? 90 : 130,
              show: what === "price", values: (_, splits) => splits.map((at) => (Number.isInteger(at) && times[at] !== undefined ? timeText(times[at], run.daily).replace(/^\d{4}-(?=.* )/, "") : "")) },
            { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "12px system-ui, sans-serif", size, space: what === "volume" ? 28 : 40,
              values: (_, splits) => splits.map((value) => (what === "volume" ? value.toLocaleString("en-US", { notation: "compact" }) : number(value))) },
          ],
        };
      };
      const backdrop = (what) => (plot) => {
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        const wide = Math.abs(plot.valToPos(1, "x", true) - plot.valToPos(0, "x", true));
        const stripe = (centre, breadth) => { ctx.fillStyle = colour("flag"); ctx.fillRect(centre - breadth / 2, bbox.top, breadth, bbox.height); };
        flags.forEach((flag, at) => flag && stripe(plot.valToPos(at, "x", true), wide));
        if (hole >= 0) stripe(plot.valToPos(hole - 0.5, "x", true), Math.max(4, wide * 0.4));
        if (band?.of === what) {
          const top = Number.isNaN(band.hi) ? bbox.top : plot.valToPos(band.hi, "y", true);
          const bottom = Number.isNaN(band.lo) ? bbox.top + bbox.height : plot.valToPos(band.lo, "y", true);
          ctx.fillStyle = colour("band");
          ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
          ctx.strokeStyle = colour("accent");
          ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
          for (const edge of [top, bottom]) { ctx.beginPath(); ctx.moveTo(bbox.left, edge); ctx.lineTo(bbox.left + bbox.width, edge); ctx.stroke(); }
        }
        ctx.restore();
      };
      const clipped = (plot, paint) => {
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        paint(ctx, Math.max(1, Math.abs(plot.valToPos(1, "x", true) - plot.valToPos(0, "x", true))));
        ctx.restore();
      };
      const candles = (plot) => clipped(plot, (ctx, wide) => {
        const y = (value) => plot.valToPos(value, "y", true);
        const bad = colour("bad"), up = colour("up"), down = colour("down"), panel = colour("panel");
        ctx.lineWidth = Math.max(1, devicePixelRatio);
        for (const at of x) {
          const centre = plot.valToPos(at, "x", true), half = Math.max(1, wide * 0.32);
          const rises = close[at] >= open[at];
          ctx.strokeStyle = flags[at] ? bad : rises ? up : down;
          if (Number.isFinite(high[at]) && Number.isFinite(low[at])) { ctx.beginPath(); ctx.moveTo(centre, y(high[at])); ctx.lineTo(centre, y(low[at])); ctx.stroke(); }
          if (Number.isFinite(open[at]) && Number.isFinite(close[at])) {
            const top = Math.min(y(open[at]), y(close[at])), tall = Math.max(1, Math.abs(y(open[at]) - y(close[at])));
            ctx.fillStyle = rises ? panel : flags[at] ? bad : down;
            ctx.fillRect(centre - half, top, 2 * half, tall);
            ctx.strokeRect(centre - half, top, 2 * half, tall);
          } else if (Number.isFinite(close[at])) { ctx.beginPath(); ctx.moveTo(centre - half, y(close[at])); ctx.lineTo(centre + half, y(close[at])); ctx.stroke(); }
          if (flags[at]) {
            const tip = Math.max(plot.bbox.top + 9 * devicePixelRatio, y(Math.max(...finite([open[at], high[at], low[at], close[at]]))) - 5 * devicePixelRatio), side = 5 * devicePixelRatio;
            ctx.fillStyle = bad;
            ctx.beginPath(); ctx.moveTo(centre, tip); ctx.lineTo(centre - side, tip - 1.6 * side); ctx.lineTo(centre + side, tip - 1.6 * side); ctx.fill();
          }
        }
      });
      const columns = (plot) => clipped(plot, (ctx, wide) => {
        const ground = plot.valToPos(0, "y", true);
        for (const at of x) {
          if (!Number.isFinite(volume[at])) continue;
          ctx.fillStyle = colour(flags[at] ? "bad" : "strong-line");
          const top = plot.valToPos(volume[at], "y", true), half = Math.max(1, wide * 0.32);
          ctx.fillRect(plot.valToPos(at, "x", true) - half, top, 2 * half, Math.max(1, ground - top));
        }
      });
      const say = (plot) => {
        const at = plot.cursor.idx;
        const values = at === null || at === undefined ? null : [["open", open], ["high", high], ["low", low], ["close", close], ["volume", volume]];
        $("chart-values").textContent = values ? `${timeText(times[at], run.daily)}   ` + values.map(([name, of]) => `${name} ${number(of[at])}`).join("   ") : "Point at a bar for its values; drag to zoom, double-click for all bars.";
      };
      const mine = (points) => ({ show: true, points: { show: false }, paths: () => null, ...points });
      const price = uPlot({ ...common(280, prices, "price"), series: [{}, mine({})], hooks: { drawClear: [backdrop("price")], draw: [candles], setCursor: [say] } }, [x, close.map((value) => (Number.isFinite(value) ? value : null))], $("chart-price"));
      plots.push(price);
      $("chart-volume").hidden = volumes.length === 0;
      if (volumes.length) {
        plots.push(uPlot({ ...common(80, volumes, "volume"), series: [{}, mine({})], hooks: { drawClear: [backdrop("volume")], draw: [columns] } }, [x, volume.map((value) => (Number.isFinite(value) ? value : null))], $("chart-volume")));
        plots.forEach((plot) => plot.redraw(false, true));
      }
      say(price);
    }
    const redraw = () => showChart(charted);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    let resizing;
    addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(redraw, 150); });

    /* ---- where ---- */
    const heat = data.heat;
    const map = $("heat-svg");
    function cellsOf(what) {
      const cells = new Map();
      for (let at = 0; at < heat.cell.length; at++) {
        if (what === null ? heat.rule[at] < 0 : heat.rule[at] !== what) continue;
        cells.set(heat.cell[at], (cells.get(heat.cell[at]) ?? 0) + heat.count[at]);
      }
      return cells;
    }
    let cells = new Map();
    // The same steps and shapes as in the drawing that the page comes with.
    function drawHeat() {
      if (!map) return;
      const choice = $("heat-of").value;
      const what = choice === "missing" ? -1 : choice === "all" ? null : Number(choice);
      cells = cellsOf(what);
      const { left, top, wide, high } = heat.shape;
      const steps = heat.columns.length;
      const levels = ["", "", "", ""];
      const most = Math.max(1, ...cells.values());
      for (const [cell, count] of cells) {
        const level = count === 1 ? 0 : Math.min(3, 1 + Math.floor((3 * Math.log(count)) / Math.log(most + 1)));
        levels[level] += `M${left + (cell % steps) * wide} ${top + Math.floor(cell / steps) * high}h${wide - 1}v${high - 1}h${1 - wide}z`;
      }
      levels.forEach((d, level) => map.querySelector(`.level-${level + 1}`).setAttribute("d", d));
      let sum = 0;
      for (const count of cells.values()) sum += count;
      $("heat-says").textContent = `${what === -1 ? counted(sum, "missing bar") : counted(sum, "finding")} in ${counted(new Set([...cells.keys()].map((cell) => Math.floor(cell / steps))).size, "series")} shown`;
    }
    function cellAt(event) {
      const { left, top, wide, high } = heat.shape;
      const box = map.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left - left) / wide), row = Math.floor((event.clientY - box.top - top) / high);
      return row >= 0 && row < heat.series.length && column < heat.columns.length ? { row, column } : null;
    }
    if (map) {
      const cursor = map.querySelector(".cursor");
      map.addEventListener("mousemove", (event) => {
        const at = cellAt(event);
        cursor.setAttribute("visibility", at && at.column >= 0 ? "visible" : "hidden");
        if (!at) return;
        const { left, top, wide, high } = heat.shape;
        cursor.setAttribute("x", left + at.column * wide - 1);
        cursor.setAttribute("y", top + at.row * high - 1);
        const count = cells.get(at.row * heat.columns.length + at.column) ?? 0;
        const noun = $("heat-of").value === "missing" ? "missing bar" : "finding";
        $("heat-at").textContent = at.column < 0 ? visible(series[heat.series[at.row]]) : `${visible(series[heat.series[at.row]])}, ${heat.columns[at.column]}: ${counted(count, noun)}`;
      });
      map.addEventListener("click", (event) => {
        const at = cellAt(event);
        if (!at) return;
        const choice = $("heat-of").value;
        const next = { series: series[heat.series[at.row]], rule: /^\d+$/.test(choice) ? rules[Number(choice)].id : filter.rule };
        if (at.column >= 0) Object.assign(next, { from: heat.columns[at.column], to: heat.ends[at.column] });
        change(next);
        $("findings").scrollIntoView({ block: "start" });
      });
      $("heat-of").addEventListener("change", drawHeat);
    }

    /* ---- coverage ---- */
    const coverage = data.coverage;
    const covered = new Map();
    for (let at = 0; at < coverage.series.length; at++) {
      const place = coverage.series[at];
      let of = covered.get(place);
      if (!of) covered.set(place, (of = { place, bars: 0, expected: null, missing: null, duplicates: 0, first: NaN, last: NaN, months: [] }));
      const add = (sum, value) => (value === null ? sum : (sum ?? 0) + value);
      of.bars += coverage.bars[at] ?? 0;
      of.expected = add(of.expected, coverage.expected[at]);
      of.missing = add(of.missing, coverage.missing[at]);
      of.duplicates += coverage.duplicates[at] ?? 0;
      const [from, to] = [coverage.first[at], coverage.last[at]];
      if (from !== null && !(of.first <= from)) of.first = from;
      if (to !== null && !(of.last >= to)) of.last = to;
      if (coverage.by_month) of.months.push(at);
    }
    const coverageRows = [...covered.values()].sort((a, b) => (b.missing ?? 0) - (a.missing ?? 0) || ranks.series[a.place] - ranks.series[b.place]);
    let coverageMost = COVERAGE_STEP;
    function drawCoverage() {
      const meant = filter.series === undefined ? null : meantSeries(filter.series);
      const rows = meant ? coverageRows.filter((row) => meant[row.place]) : coverageRows;
      const dash = (value) => (value === null ? "–" : thousands(value));
      const made = rows.slice(0, coverageMost).flatMap((row) => {
        const months = element("div", { class: "months" });
        const under = element("tr", { hidden: true }, element("td", { colspan: 8 }, months));
        const open = element("button", { type: "button", class: "small", "aria-expanded": "false", "aria-label": `Months of ${visible(series[row.place])}`, onclick: () => {
          under.hidden = !under.hidden;
          open.setAttribute("aria-expanded", String(!under.hidden));
          if (!months.childElementCount) months.append(...row.months.map((at) => {
            const expected = coverage.expected[at];
            const month = dateOf(coverage.bucket[at] * DAY).slice(0, 7);
            const text = expected === null ? `${month}: ${thousands(coverage.bars[at])}` : `${month}: ${thousands(coverage.bars[at])} of ${thousands(expected)}`;
            return element("span", {}, text, coverage.missing[at] ? element("b", {}, `, ${thousands(coverage.missing[at])} missing`) : null);
          }));
        } }, "Months");
        return [element("tr", {},
          element("th", { scope: "row", class: "name" }, visible(series[row.place])),
          element("td", {}, timeText(row.first, run.daily)), element("td", {}, timeText(row.last, run.daily)),
          ...[thousands(row.bars), dash(row.expected), dash(row.missing), thousands(row.duplicates)].map((text) => element("td", { class: "number" }, text)),
          element("td", {}, row.months.length ? open : "")), under];
      });
      $("coverage-body").replaceChildren(...made);
      const shown = Math.min(rows.length, coverageMost);
      $("coverage-says").textContent = rows.length === 0 ? "No series is counted." : `${thousands(shown)} of ${counted(rows.length, "series")}, those with most missing bars first.`;
      $("coverage-more").hidden = rows.length <= coverageMost;
    }
    $("coverage-more").addEventListener("click", () => { coverageMost += COVERAGE_STEP * 5; drawCoverage(); });

    /* ---- putting it together ---- */
    const controls = { severity: $("f-severity"), rule: $("f-rule"), series: $("f-series"), from: $("f-from"), to: $("f-to"), text: $("f-text"), label: $("f-label") };
    let shownCoverage;
    function apply() {
      writeAddress();
      select();
      for (const [key, control] of Object.entries(controls)) if (control.value !== (filter[key] ?? "")) control.value = filter[key] ?? "";
      $("f-new").checked = filter.new === "1";
      for (const row of document.querySelectorAll("tr[data-rule]")) {
        const isChosen = row.dataset.rule === filter.rule;
        row.classList.toggle("chosen", isChosen);
        row.querySelector("button")?.setAttribute("aria-pressed", String(isChosen));
      }
      $("count").textContent = countText();
      $("rows-empty").hidden = order.length > 0;
      $("rows-table").setAttribute("aria-rowcount", order.length + 1);
      tall.style.height = `${tallness()}px`;
      box.style.height = `${Math.min(522, Math.max(160, tallness() + 2))}px`;
      const wanted = filter.finding === undefined ? -1 : order.findIndex((at) => found.id[at] === filter.finding);
      chosen = wanted >= 0 ? order[wanted] : -1;
      box.scrollTop = 0;
      if (wanted >= 0) scrollTo(wanted - 3);
      for (const button of document.querySelectorAll("button[data-sort]")) {
        const [by, way] = (filter.sort ?? "").split("-");
        const sorted = button.dataset.sort === by;
        button.parentElement.setAttribute("aria-sort", !sorted ? "none" : way === "down" ? "descending" : "ascending");
        button.querySelector("span").textContent = !sorted ? "" : way === "down" ? " ↓" : " ↑";
      }
      showDetails(chosen);
      // Without a choice the chart shows the first finding that has bars.
      let drawn = chosen;
      for (let row = 0; drawn < 0 && row < Math.min(order.length, 100_000); row++) if (barsOf.has(order[row])) drawn = order[row];
      showChart(drawn >= 0 ? drawn : order.length ? order[0] : -1);
      if (shownCoverage !== filter.series) { shownCoverage = filter.series; drawCoverage(); }
      draw(true);
    }

    const fill = (select, values) => values.forEach(([value, text]) => select.append(element("option", { value }, text)));
    fill(controls.rule, rules.map((rule) => [rule.id, visible(rule.id)]));
    fill(controls.label, [["none", "without a label"], ["any", "with any label"], ...labels.map((label) => [label, label])]);
    fill($("series-names"), series.slice(0, 1000).map((name) => [name, ""]));
    if (map) fill($("heat-of"), [...new Set(heat.rule)].filter((rule) => rule >= 0).sort((a, b) => a - b).map((rule) => [String(rule), visible(rules[rule].id)]));

    let typing;
    for (const [key, control] of Object.entries(controls)) {
      const late = control.type === "text" || control.type === "search";
      control.addEventListener(late ? "input" : "change", () => {
        clearTimeout(typing);
        typing = setTimeout(() => change({ [key]: control.value }), late ? 150 : 0);
      });
    }
    $("f-new").addEventListener("change", () => change({ new: $("f-new").checked ? "1" : "" }));
    $("f-clear").addEventListener("click", () => clear());
    const clear = () => change({ rule: "", severity: "", series: "", from: "", to: "", text: "", label: "", new: "" });
    for (const button of document.querySelectorAll("button[data-sort]")) {
      button.addEventListener("click", () => {
        const by = button.dataset.sort;
        change({ sort: filter.sort === by ? `${by}-down` : filter.sort === `${by}-down` ? "" : by });
      });
    }
    for (const row of document.querySelectorAll("tr[data-rule]")) {
      row.querySelector("button")?.addEventListener("click", () => change({ rule: filter.rule === row.dataset.rule ? "" : row.dataset.rule }));
    }
    addEventListener("hashchange", () => { readAddress(); apply(); });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const writes = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName ?? "");
      if (event.key === "Escape") {
        if (writes) return event.target.blur();
        if (chosen >= 0 && !$("details").hidden) { choose(-1, false); return apply(); }
        return clear();
      }
      if (writes) return;
      if (event.key === "/") { event.preventDefault(); controls.text.focus(); controls.text.scrollIntoView({ block: "nearest" }); }
      if (event.key === "j") go(1);
      if (event.key === "k") go(-1);
    });

    readAddress();
    $("interactive").hidden = false;
    apply();
    drawHeat();
    drawCoverage();
  }

  const block = $("data");
  if (!block) return;
  const fail = (error) => {
    $("broken").hidden = false;
    $("broken-why").textContent = `What is in this page cannot be shown: ${error.message}. A browser of 2023 or later shows it.`;
  };
  if (typeof DecompressionStream === "undefined") fail(new Error("this browser cannot unpack data"));
  else unpack(block.textContent).then(main).then(() => { document.documentElement.dataset.ready = "1"; }).catch(fail);
})();
