// One file in full, in a dialog: what is known of it, its ranges over its own time, and what happened on the way.
"use strict";

/** Ranges of one file that are drawn. */
const MOST_RANGES = 300;
const dialog = document.getElementById("details");

/** Open the file at a place of the table. */
function openDetails(place) {
  const row = ROWS[files.shown[place]], [sign, word, mood] = STATUS_WORDS[statusOf(row)];
  const walk = (step) => make("button", { type: "button", disabled: !(place + step in files.shown), onclick: () => { files.active = place + step; openDetails(files.active); } }, step < 0 ? "Previous" : "Next");
  dialog.replaceChildren(
    make("header", {}, make("h2", { id: "details-heading" }, `${row[PATH]} `, make("span", { class: `badge ${mood}` }, `${sign} ${word}`)),
      walk(-1), walk(1), make("button", { type: "button", class: "close", autofocus: true, onclick: () => dialog.close() }, "Close")),
    make("div", {}, ...trouble(row), properties(row), ...events(row), ...ranges(row)));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  dialog.querySelector(".close").focus();
}

function trouble(row) {
  if (!row[ERROR]) return [];
  const [kind, status, message, remedy] = row[ERROR];
  return [make("div", { class: "trouble" },
    make("p", {}, make("b", {}, WORDS[kind] + (status ? ` (HTTP ${status})` : "")), `: ${message}`),
    remedy === null ? null : make("p", { class: "remedy" }, WORDS[remedy]))];
}

function properties(row) {
  const speed = speedOf(row), unpacked = row[MORE] && row[MORE].unpacked;
  const told = [
    ["URL", row[URL_]], ["Served by", row[SOURCE]], ["Mirrors", sourcesOf(row).slice(1).join(", ")], ["Why", row[REASON] === null ? null : WORDS[row[REASON]]],
    ["Size", row[SIZE] === null ? null : `${bytes(row[SIZE])}${row[SIZE] < 1024 ? "" : ` (${row[SIZE].toLocaleString("en")} bytes)`}`], ["Checksum", row[CHECKSUM]], ["ETag", row[MORE] && row[MORE].etag],
    ["Started", row[START] === null ? null : `${seconds(row[START])} after the run began`], ["Took", row[START] === null ? null : seconds(row[TOOK])],
    ["Received", row[RECEIVED] ? `${bytes(row[RECEIVED])}${speed ? `, ${rate(speed)}` : ""}` : null], ["Resumed", row[RESUMED] ? `${bytes(row[RESUMED])} of an earlier run` : null],
    ["Unpacked", unpacked && `${counted(unpacked.files, "file", "files")}, ${bytes(unpacked.bytes)}, into ${unpacked.into}`], ["Entry", row[ID]],
  ];
  return make("dl", {}, ...told.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

/** Retries and all else that happened, in the order of time. */
function events(row) {
  const told = [
    ...retriesOf(row).map((retry) => [retry.at, `Retry ${retry.attempt}`, `${retry.kind}${retry.status ? ` (HTTP ${retry.status})` : ""}: ${retry.message}; after ${seconds(retry.wait_s)}`, retry.url]),
    ...notesOf(row).map((note) => [note.at, ...noteWords(note), note.url]),
  ].sort((one, other) => one[0] - other[0]);
  if (!told.length) return [];
  return [make("h3", {}, "What happened"), wide(["At", "What", "Why", "URL"], told.map(([at, what, why, url]) => [seconds(at), what, why, url || ""]), [2, 3])];
}

function noteWords(note) {
  switch (note.event) {
    case "download_resumed": return ["Resumed", `${bytes(note.bytes)} that an earlier run left were proven and kept`];
    case "resume_discarded": return ["Thrown away", `${bytes(note.bytes)}: ${note.reason}`];
    case "mirror_switched": return ["Another source", note.reason];
    case "mirror_dropped": return ["Source dropped", note.reason];
    case "ranges_unsupported": return ["No ranges", note.reason];
    default: return ["Host paused", `${note.host} asked for ${seconds(note.wait_s)}`];
  }
}

function ranges(row) {
  const all = rangesOf(row), sources = sourcesOf(row);
  if (!all.length) return [];
  const shown = [...all].sort((one, other) => one[2] - other[2] || one[0] - other[0]).slice(0, MOST_RANGES);
  const lines = shown.map((range) => {
    const [offset, length, began, answered, ended, source, end, kept] = range;
    const took = ended - (answered === null ? began : answered);
    return [
      length ? `${offset.toLocaleString("en")} – ${(offset + length - 1).toLocaleString("en")}` : `from ${offset.toLocaleString("en")}`, bytes(length), end === "resumed" ? "" : seconds(began),
      answered === null ? "" : seconds(answered - began), end === "resumed" ? "" : seconds(ended - began), length && took > 0 ? rate(length / took) : "",
      source === null ? "" : hostOf(sources[source] || ""), ENDS[end] + (kept ? "" : ", thrown away"),
      end === "resumed" ? "" : draw(piecesOfRange(range, 0, undefined), `from ${seconds(began)} to ${seconds(ended)}`, 0, Math.max(row[TOOK], 0.001)),
    ];
  });
  const left = all.length - shown.length + ((row[MORE] && row[MORE].left_out) || 0);
  return [make("h3", {}, counted(all.length, "range", "ranges")),
    wide(["Bytes", "Length", "Began", "First byte", "Took", "Speed", "From", "End", "Timeline"], lines, []), left ? make("p", { class: "quiet" }, `and ${left} more`) : null];
}

/** A table that scrolls by itself where it is too wide; `text` are the columns whose text may wrap. */
function wide(heads, lines, text) {
  const body = lines.map((line) => make("tr", {}, ...line.map((value, at) => make("td", { class: text.includes(at) ? "text" : null }, value))));
  return make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": heads.join(", ") },
    make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, ...body)));
}

dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && !event.target.closest(".wide") && files.active + step in files.shown) { files.active += step; openDetails(files.active); }
});
dialog.addEventListener("close", () => goTo(files.active));
