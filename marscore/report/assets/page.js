// The rest of the page, and its beginning: totals, warnings, failures, throughput, hosts.
"use strict";

/** Failures that are listed one by one; more are grouped by kind and host. */
const MOST_FAILURES = 20, MOST_GROUPS = 50;
const HEIGHT = 150;
let chart = null;

function drawTotals() {
  const run = DATA.run, totals = DATA.totals, speed = totals.bytes_downloaded && run.duration_s ? totals.bytes_downloaded / run.duration_s : null;
  const told = [
    [totals.downloads.toLocaleString("en"), totals.downloads === 1 ? "file" : "files", ""], [totals.downloaded, "downloaded", "good"], [totals.up_to_date, "up to date", ""], [totals.cached, "from the cache", ""],
    [totals.failed, "failed", "bad"], [totals.interrupted, "interrupted", "warn"], [totals.skipped, "skipped", "warn"], [totals.retries, totals.retries === 1 ? "retry" : "retries", "warn"],
    [bytes(totals.bytes_downloaded), "received", ""], [bytes(totals.bytes_resumed), "resumed", ""], [seconds(run.duration_s), "duration", ""], [rate(speed), "mean speed", ""],
  ];
  const isNothing = (value) => value === 0 || value === "0 B" || value === "";
  document.getElementById("totals").append(...told.filter(([value]) => !isNothing(value)).map(([value, name, mood]) =>
    make("div", { class: "total" }, make("b", { class: mood || null }, typeof value === "number" ? value.toLocaleString("en") : value), make("span", {}, name))));
  const warnings = document.getElementById("warnings");
  warnings.hidden = !run.warnings.length;
  warnings.querySelector("ul").append(...run.warnings.map((warning) => make("li", {}, warning)));
}

function drawFailures() {
  const failed = ROWS.map((row, at) => [row, at]).filter(([row]) => row[ERROR]);
  const section = document.getElementById("failures");
  section.hidden = !failed.length;
  const broken = failed.filter(([row]) => statusOf(row) === "failed").length, stopped = failed.length - broken;
  document.getElementById("failures-heading").textContent = [broken ? counted(broken, "failure", "failures") : "", stopped ? `${stopped.toLocaleString("en")} interrupted` : ""].filter(Boolean).join(", ");
  section.querySelector("ul").append(...(failed.length > MOST_FAILURES ? groups(failed) : failed.map(([row, at]) => failureItem(row, at))));
}

function failureItem(row, at) {
  const [kind, status, message, remedy] = row[ERROR];
  return make("li", {}, make("button", { class: "link", type: "button", "aria-haspopup": "dialog", onclick: () => showAlone(at) }, row[PATH]), " ",
    make("span", { class: statusOf(row) === "failed" ? "bad" : "warn" }, WORDS[kind] + (status ? ` (HTTP ${status})` : "")), `: ${message}`,
    make("div", { class: "quiet" }, row[URL_]), remedy === null ? null : make("div", { class: "remedy" }, WORDS[remedy]));
}

function groups(failed) {
  const found = new Map();
  for (const [row, at] of failed) {
    const [kind, status] = row[ERROR], key = `${WORDS[kind]}|${status}|${hostOf(row[URL_])}`;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push([row, at]);
  }
  const sorted = [...found.values()].sort((one, other) => other.length - one.length);
  const left = sorted.slice(MOST_GROUPS).reduce((sum, group) => sum + group.length, 0);
  return [...sorted.slice(0, MOST_GROUPS).map(groupItem), left ? make("li", {}, `and ${counted(left, "more", "more")}, of other kinds or hosts`) : ""];
}

function groupItem(group) {
  const [first] = group[0], [kind, status, message, remedy] = first[ERROR], host = hostOf(first[URL_]);
  return make("li", {}, make("b", {}, counted(group.length, "file", "files")), ` of ${host}: `, make("span", { class: "bad" }, WORDS[kind] + (status ? ` (HTTP ${status})` : "")), `: ${message}`,
    remedy === null ? null : make("div", { class: "remedy" }, WORDS[remedy]),
    make("div", {}, ...group.slice(0, 3).flatMap(([row, at]) => [make("button", { class: "link", type: "button", "aria-haspopup": "dialog", onclick: () => showAlone(at) }, row[PATH]), " "]),
      group.length > 3 ? make("button", { class: "link", type: "button", onclick: () => showGroup(statusOf(first), host) }, `and ${counted(group.length - 3, "more", "more")}`) : null));
}

/** Open a file wherever it is in the table, without filters if they hide it. */
function showAlone(at) {
  if (!files.shown.includes(at)) { document.getElementById("filter").reset(); refresh(); }
  files.active = files.shown.indexOf(at);
  openDetails(files.active);
}

function showGroup(status, host) {
  document.getElementById("filter").reset();
  document.getElementById("status").value = status;
  document.getElementById("host").value = host;
  refresh();
  document.getElementById("files").scrollIntoView();
  goTo(0);
}

function drawHosts() {
  const hosts = new Map();
  const of = (host) => hosts.get(host) || hosts.set(host, { files: 0, received: 0, failed: 0, retries: 0, pauses: [], spans: [] }).get(host);
  for (const row of ROWS) {
    if (statusOf(row) === "cached" || row[START] === null) continue;
    const sources = sourcesOf(row), main = of(hostOf(row[URL_])), came = rangesOf(row).filter((range) => range[5] !== null);
    main.files += 1;
    main.failed += statusOf(row) === "failed" ? 1 : 0;
    for (const retry of retriesOf(row)) of(hostOf(retry.url)).retries += 1;
    for (const note of notesOf(row)) if (note.event === "host_paused") of(note.host.replace(/:(80|443)$/, "")).pauses.push([note.at, note.at + note.wait_s]);
    if (!came.length) { main.received += row[RECEIVED]; if (row[RECEIVED]) main.spans.push([row[START], row[START] + row[TOOK]]); }
    for (const range of came) {
      const host = of(hostOf(sources[range[5]] || row[URL_]));
      host.received += range[1];
      host.spans.push([row[START] + range[2], row[START] + range[4]]);
    }
  }
  const section = document.getElementById("hosts"), [head] = section.querySelector("thead").rows;
  section.hidden = !hosts.size;
  head.append(...["Host", "Files", "Written", "Busy", "Speed while busy", "Retries", "Pauses", "Failures"].map((name, at) => make("th", { scope: "col", class: at ? "num" : null }, make("span", {}, name))));
  const lines = [...hosts].sort(([, one], [, other]) => other.received - one.received || other.files - one.files).slice(0, 500);
  section.querySelector("tbody").append(...lines.map(([name, host]) => {
    // A pause is told of each download that it held back.
    const busy = union(host.spans), paused = union(host.pauses);
    const values = [host.files ? host.files.toLocaleString("en") : "", host.received ? bytes(host.received) : "", seconds(busy), busy && host.received ? rate(host.received / busy) : "", host.retries || "", paused ? seconds(paused) : "", host.failed || ""];
    return make("tr", {}, make("th", { scope: "row", class: "plain" }, make("span", {}, name)), ...values.map((value, at) => make("td", { class: `num${at === 6 && value ? " bad" : at === 4 && value ? " warn" : ""}` }, String(value))));
  }));
}

/** Seconds that some spans cover together. */
function union(spans) {
  let covered = 0, until = -Infinity;
  for (const [from, to] of spans.sort((one, other) => one[0] - other[0])) {
    covered += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return covered;
}

function drawThroughput() {
  const { interval_s: step, bytes: counts } = DATA.throughput;
  document.getElementById("throughput").hidden = !counts.length;
  if (!counts.length) return;
  const until = Math.max(counts.length, Math.ceil(LENGTH / step)), times = [], speeds = [];
  for (let at = 0; at < until; at++) { times.push(at * step); speeds.push((counts[at] || 0) / lengthOf(at, step)); }
  const peak = speeds.indexOf(Math.max(...speeds)), middle = (at) => (at * step + Math.min((at + 1) * step, Math.max(LENGTH, at * step))) / 2;
  // Each interval is drawn from its beginning to that of the next one: the last one needs its end as well.
  times.push(until * step);
  speeds.push(speeds[until - 1]);
  document.getElementById("throughput-told").textContent = `at most ${rate(speeds[peak])}, at ${seconds(middle(peak))}; drag over it to see a part of the run`;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const place = document.getElementById("chart");
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--rest"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
  if (chart) chart.destroy();
  chart = new uPlot({
    width: place.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { y: false, drag: { x: true, y: false } }, padding: [8, 12, 0, 0],
    scales: { x: { time: false, range: (self, from, to) => (from === null || (from <= times[0] && to >= times[times.length - 1]) ? [0, LENGTH] : [Math.max(0, from), Math.min(LENGTH, to)]) }, y: { range: (self, from, to) => [0, (to || 1) * 1.1] } },
    axes: [{ ...axis, size: 30, values: (self, ticks) => ticks.map((tick) => (tick ? seconds(tick) : "0")) }, { ...axis, size: 86, space: 26, incrs: binarySteps(), values: (self, ticks) => ticks.map((tick) => (tick ? rate(tick) : "0")) }],
    series: [{}, { stroke: colour("--s0"), fill: `${colour("--s0")}33`, width: 1.5, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
    hooks: {
      setCursor: [(self) => { const at = Math.floor(self.posToVal(self.cursor.left, "x") / step); document.getElementById("pointed").textContent = self.cursor.left >= 0 && at >= 0 && at < until ? `${rate(speeds[at])} at ${seconds(middle(at))}` : ""; }],
      setScale: [(self, scale) => { if (scale === "x") look(self.scales.x.min, self.scales.x.max, false); }],
    },
  }, [times, speeds], place);
}

/** Seconds over which the bytes of an interval came: the last one ends with the run. What is left of it may be too short to divide by. */
function lengthOf(at, step) {
  const left = LENGTH - at * step;
  return left > 0 ? Math.min(step, Math.max(left, Math.min(step / 10, LENGTH))) : step;
}

/** Make the chart as wide as its place, or so many pixels: a printed page says its width to no script. */
function sizeChart(width) {
  if (chart) chart.setSize({ width: width || document.getElementById("chart").clientWidth, height: HEIGHT });
}

/** Distances between ticks that are round in KiB and MiB. */
function binarySteps() {
  const steps = [];
  for (let unit = 1; unit < 2 ** 50; unit *= 1024) for (const factor of [1, 2, 4, 5, 10, 20, 25, 50, 100, 200, 250, 500]) steps.push(unit * factor);
  return steps;
}

/** Show this part of the run, in the table and, unless it came from there, in the chart. */
function look(from, to, inChart = true) {
  const least = LENGTH / 10000;
  const start = Math.max(0, Math.min(from, LENGTH - least)), end = Math.min(LENGTH, Math.max(to, start + least));
  if (start === view.from && end === view.to) return;
  [view.from, view.to] = [start, end];
  document.getElementById("window").textContent = start > 0 || end < LENGTH ? `${seconds(start)} – ${seconds(end)}` : "";
  if (inChart && chart) chart.setScale("x", { min: start, max: end });
  redraw();
}

function beginZoom() {
  document.getElementById("zoom").addEventListener("click", (event) => {
    const span = view.to - view.from, middle = (view.from + view.to) / 2;
    const shift = (by) => { const start = Math.max(0, Math.min(LENGTH - span, view.from + by)); look(start, start + span); };
    switch (event.target.dataset.zoom) {
      case "in": return look(middle - span / 4, middle + span / 4);
      case "out": return look(middle - span, middle + span);
      case "earlier": return shift(-span / 2);
      case "later": return shift(span / 2);
      case "all": return look(0, LENGTH);
    }
  });
}

drawTotals();
drawLegend();
beginTable();
beginZoom();
refresh();
drawFailures();
drawThroughput();
drawHosts();
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawThroughput);
new ResizeObserver(() => { if (!files.printing) sizeChart(null); }).observe(document.getElementById("chart"));
