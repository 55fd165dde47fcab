// What the page shows, read from the data that it holds, and how values are written. Nothing here touches the page but to read the data.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const WORDS = DATA.words;

/** Names of the places in a row, in the order in which `report/page.py` writes them. */
const [PATH, STATUS, SIZE, START, TOOK, RECEIVED, RESUMED, RETRIES, URL_, SOURCE, ERROR, REASON, CHECKSUM, ID, MORE] = Array(15).keys();
const ROWS = DATA.rows;
const STATUS_WORDS = {
  downloaded: ["✓", "downloaded", "good"], up_to_date: ["=", "up to date", "good"], cached: ["≡", "from cache", "good"],
  failed: ["✗", "failed", "bad"], interrupted: ["■", "interrupted", "warn"], skipped: ["–", "skipped", "warn"],
};
/** Seconds of the run, and never nothing. */
const LENGTH = Math.max(DATA.run.duration_s, 0.001);

const statusOf = (row) => WORDS[row[STATUS]];
const retriesOf = (row) => (row[MORE] && row[MORE].retries) || [];
const rangesOf = (row) => (row[MORE] && row[MORE].ranges) || [];
const notesOf = (row) => (row[MORE] && row[MORE].notes) || [];
const sourcesOf = (row) => (row[MORE] && row[MORE].sources) || [row[URL_]];

function hostOf(url) {
  const found = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url || "");
  return found ? found[1] : "";
}

/** Bytes a second: what came over the network, over the time that the download took. */
function speedOf(row) {
  return row[RECEIVED] && row[TOOK] > 0 ? row[RECEIVED] / row[TOOK] : null;
}

function isTroubled(row) {
  return Boolean(row[ERROR]) || row[RETRIES] > 0 || notesOf(row).some((note) => !["download_resumed", "host_paused"].includes(note.event)) || statusOf(row) === "skipped";
}

function bytes(count) {
  if (count === null || count === undefined) return "";
  let value = count;
  for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024 || unit === "TiB") return unit === "B" ? `${count} B` : `${value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
}

const rate = (count) => (count === null ? "" : `${bytes(Math.round(count))}/s`);

function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
  const whole = Math.round(value), hours = Math.floor(whole / 3600), minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

/** A number with its noun. */
const counted = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** An element with attributes and children; text goes in as text, so that nothing a stranger wrote is ever markup. */
function make(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
