// The table of files: filtered, sorted, and drawn as it scrolls, since a run may have a hundred thousand. Rows have one height, so that
// which of them are in sight is a division, and the table is as long as all of them.
"use strict";

const COLUMNS = [
  ["path", "Path", (row) => row[PATH]],
  ["status", "Status", (row) => statusOf(row)],
  ["size", "Size", (row) => row[SIZE], true],
  ["start", "Started", (row) => row[START], true],
  ["took", "Took", (row) => (row[START] === null ? null : row[TOOK]), true],
  ["speed", "Speed", speedOf, true],
  ["retries", "Retries", (row) => row[RETRIES], true],
  ["bars", "Timeline", null],
];
/** Rows drawn above and below those in sight, and those of a printed page. */
const AROUND = 10, PRINTED = 2000;

const files = { shown: [], sorted: "start", descending: false, active: 0, first: -1, last: -1, printing: false, haystacks: [] };
const scroller = document.getElementById("scroller"), table = document.getElementById("table"), body = table.tBodies[0];

function rowHeight() {
  return parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 30;
}

function matching() {
  const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const status = document.getElementById("status").value, host = document.getElementById("host").value;
  const troubled = document.getElementById("troubled").checked;
  const found = [];
  for (let at = 0; at < ROWS.length; at++) {
    const row = ROWS[at];
    if (status && statusOf(row) !== status) continue;
    if (host && !hostsOf(row).includes(host)) continue;
    if (troubled && !isTroubled(row)) continue;
    if (words.length) {
      const hay = (files.haystacks[at] ||= `${row[PATH]} ${row[URL_]} ${row[SOURCE] || ""} ${row[ID]}`.toLowerCase());
      if (!words.every((word) => hay.includes(word))) continue;
    }
    found.push(at);
  }
  return found;
}

/** The hosts that a download has to do with: that of its URL, and those that brought something of it. */
function hostsOf(row) {
  const urls = [row[URL_], row[SOURCE] || row[URL_], ...((row[MORE] && row[MORE].sources) || [])];
  return [...new Set(urls.map(hostOf))];
}

function sortFound(found) {
  const column = COLUMNS.find(([name]) => name === files.sorted);
  // A run may have no downloads at all.
  if (!column || !found.length) return found;
  const value = column[2], sign = files.descending ? -1 : 1;
  const compare = typeof value(ROWS[0]) === "string" ? new Intl.Collator("en", { numeric: true }).compare : (one, other) => one - other;
  const keyed = found.map((at) => [value(ROWS[at]), at]);
  keyed.sort(([one, at], [other, after]) => {
    // What has no value comes last, whatever the direction.
    if (one === null || other === null) return (one === null) - (other === null) || at - after;
    return sign * compare(one, other) || at - after;
  });
  return keyed.map(([, at]) => at);
}

function refresh() {
  files.shown = sortFound(matching());
  files.active = Math.min(files.active, Math.max(0, files.shown.length - 1));
  table.setAttribute("aria-rowcount", files.shown.length + 1);
  document.getElementById("count").textContent = files.shown.length === ROWS.length ? counted(ROWS.length, "file", "files") : `${files.shown.length.toLocaleString("en")} of ${counted(ROWS.length, "file", "files")}`;
  for (const head of table.tHead.rows[0].cells) if (head.dataset.name !== "bars") head.setAttribute("aria-sort", head.dataset.name === files.sorted ? (files.descending ? "descending" : "ascending") : "none");
  redraw();
}

function redraw() {
  files.first = -1;
  drawInSight();
}

function drawInSight() {
  const height = rowHeight(), count = files.shown.length;
  const top = Math.floor(scroller.scrollTop / height), room = Math.ceil(scroller.clientHeight / height);
  const first = files.printing ? 0 : Math.max(0, Math.min(top, count - room) - AROUND);
  const last = files.printing ? Math.min(count, PRINTED) : Math.min(count, top + room + AROUND);
  if (first === files.first && last === files.last) return;
  const focused = document.activeElement && body.contains(document.activeElement);
  [files.first, files.last] = [first, last];
  const rows = [];
  for (let place = first; place < last; place++) rows.push(fileRow(place));
  body.replaceChildren(spacer(first * height), ...rows, spacer(files.printing ? 0 : (count - last) * height));
  if (!count) body.append(make("tr", {}, make("td", { class: "quiet" }, ROWS.length ? "No file matches." : "The run had no downloads.")));
  if (focused) (body.querySelector("button[tabindex='0']") || scroller).focus({ preventScroll: true });
}

function spacer(height) {
  const made = make("tr", { class: "spacer", "aria-hidden": "true" }, make("td"));
  made.firstChild.style.height = `${height}px`;
  return made;
}

function fileRow(place) {
  const row = ROWS[files.shown[place]], [sign, word, mood] = STATUS_WORDS[statusOf(row)];
  const opener = make("button", { class: "link", type: "button", tabindex: place === files.active ? 0 : -1, "aria-haspopup": "dialog", title: row[PATH] }, row[PATH]);
  return make("tr", { "aria-rowindex": place + 2, "data-place": place },
    make("td", { class: "c-path" }, opener),
    make("td", { class: `c-status ${mood}`, title: word }, `${sign} `, make("span", {}, word)),
    make("td", { class: "c-size num" }, bytes(row[SIZE])),
    make("td", { class: "c-start num" }, seconds(row[START])),
    make("td", { class: "c-took num" }, row[START] === null ? "" : seconds(row[TOOK])),
    make("td", { class: "c-speed num" }, rate(speedOf(row))),
    make("td", { class: `c-retries num${row[RETRIES] ? " warn" : ""}` }, row[RETRIES] ? String(row[RETRIES]) : ""),
    make("td", { class: "c-bars" }, drawRow(row)));
}

/** Make a row the one that the keyboard is at, in sight. */
function goTo(place) {
  if (!files.shown.length) return;
  files.active = Math.max(0, Math.min(place, files.shown.length - 1));
  const height = rowHeight(), head = table.tHead.offsetHeight, top = files.active * height;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + height + head > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + height + head - scroller.clientHeight;
  redraw();
  const button = body.querySelector(`tr[data-place="${files.active}"] button`);
  if (button) button.focus({ preventScroll: true });
}

function onKey(event) {
  const page = Math.max(1, Math.floor(scroller.clientHeight / rowHeight()) - 2);
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (event.target.closest("th") || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key in moves) {
    event.preventDefault();
    const inRow = event.target.closest("tr[data-place]");
    goTo(inRow || !Number.isFinite(moves[event.key]) ? files.active + moves[event.key] : files.active);
  }
}

function onClick(event) {
  const row = event.target.closest("tr[data-place]");
  if (!row) return;
  files.active = Number(row.dataset.place);
  openDetails(files.active);
}

function sortBy(name) {
  files.descending = files.sorted === name ? !files.descending : false;
  files.sorted = name;
  scroller.scrollTop = 0;
  files.active = 0;
  refresh();
}

function beginTable() {
  table.tHead.rows[0].append(...COLUMNS.map(([name, title, value, isNumber]) =>
    make("th", { scope: "col", class: `c-${name}${isNumber ? " num" : ""}`, "data-name": name, "aria-sort": value ? "none" : null },
      value ? make("button", { type: "button", onclick: () => sortBy(name) }, title) : null,
      // A printed page repeats no button.
      make("span", { class: value ? "printed" : null, "aria-hidden": value ? "true" : null }, title))));
  const statuses = [...new Set(ROWS.map(statusOf))], hosts = [...new Set(ROWS.flatMap(hostsOf))].sort();
  document.getElementById("status").append(make("option", { value: "" }, "all"), ...statuses.map((status) => make("option", { value: status }, STATUS_WORDS[status][1])));
  document.getElementById("host").append(make("option", { value: "" }, "all"), ...hosts.slice(0, 500).map((host) => make("option", {}, host)));
  const form = document.getElementById("filter");
  let timer;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { scroller.scrollTop = 0; files.active = 0; refresh(); }, ROWS.length > 20000 ? 150 : 0);
  });
  scroller.addEventListener("scroll", () => requestAnimationFrame(drawInSight), { passive: true });
  scroller.addEventListener("keydown", onKey);
  body.addEventListener("click", onClick);
  new ResizeObserver(() => requestAnimationFrame(drawInSight)).observe(scroller);
  const printing = window.matchMedia("print");
  const print = (is) => {
    files.printing = is;
    const cut = document.getElementById("cut");
    cut.hidden = !is || files.shown.length <= PRINTED;
    cut.textContent = `The first ${counted(PRINTED, "file", "files")} of ${files.shown.length.toLocaleString("en")}.`;
    sizeChart(is ? 690 : null);
    redraw();
  };
  printing.addEventListener("change", (event) => print(event.matches));
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
}
