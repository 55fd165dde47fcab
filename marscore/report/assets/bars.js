// The waterfall: what one download was at, as bars over the time of the run. Also drawn for one range in the details.
"use strict";

/** The part of the run that is shown, in seconds since it began. */
const view = { from: 0, to: LENGTH };

const LEGEND = [
  ["s0", "receiving"], ["s1", "from a mirror", "mirrors"], ["wait", "waiting for an answer"], ["retry", "waiting for a retry"],
  ["pause", "its host asked for a pause"], ["rest", "waiting for a connection"], ["verify", "verifying, moving into place"], ["fail", "failed try"], ["lost", "thrown away"],
];
const MARKS = { mirror_switched: ["⇄", "another source"], mirror_dropped: ["⊘", "a source dropped"], download_resumed: ["↻", "resumed"], resume_discarded: ["✂", "bytes thrown away"], ranges_unsupported: ["∦", "no ranges"] };
const ENDS = { done: "whole", failed: "failed", redialled: "slow: new connection", yielded: "gave its connection up", given_up: "replaced", resumed: "from an earlier run" };
const LANES = 4;

/** Pieces of a download's time: {from, to, kind, lane?, told}, in seconds of the run; lanes are counted from 0. */
function piecesOf(row) {
  const start = row[START];
  if (start === null) return [];
  const end = start + row[TOOK], ranges = rangesOf(row).filter((range) => range[6] !== "resumed");
  const pieces = [];
  const pauses = notesOf(row).filter((note) => note.event === "host_paused");
  if (!ranges.length) {
    const idle = !row[RECEIVED] && statusOf(row) !== "failed";
    pieces.push({ from: start, to: end, kind: statusOf(row) === "failed" && !row[RECEIVED] ? "fail" : idle ? "verify" : "s0", told: idle ? "nothing was fetched" : "receiving" });
  } else {
    pieces.push({ from: start, to: end, kind: "rest", told: "waiting for a connection" });
    const last = Math.max(...ranges.map((range) => range[4]));
    if (start + last < end && statusOf(row) === "downloaded") pieces.push({ from: start + last, to: end, kind: "verify", told: "verifying, moving into place" });
  }
  for (const retry of retriesOf(row)) pieces.push({ from: retry.at, to: Math.min(retry.at + retry.wait_s, end), kind: "retry", told: `waiting for retry ${retry.attempt}` });
  for (const note of pauses) pieces.push({ from: note.at, to: Math.min(note.at + note.wait_s, end), kind: "pause", told: `${note.host} asked for a pause` });
  // What was asked for already goes on while its host is asked nothing more.
  for (const [lane, range] of inLanes(ranges)) pieces.push(...piecesOfRange(range, start, lane));
  for (const note of notesOf(row)) {
    if (MARKS[note.event]) pieces.push({ from: note.at, to: note.at, kind: "mark", text: MARKS[note.event][0], told: MARKS[note.event][1] });
  }
  return pieces;
}

function piecesOfRange(range, start, lane) {
  const [, , began, answered, ended, source, end, kept] = range;
  const colour = end === "failed" && !range[1] ? "fail" : `s${(source || 0) % 5}`;
  const lost = kept ? "" : " lost";
  const pieces = [{ from: start + began, to: start + (answered === null ? ended : answered), kind: answered === null && end === "failed" ? "fail" : "wait", lane, told: "waiting for an answer" }];
  if (answered !== null) pieces.push({ from: start + answered, to: start + ended, kind: colour + lost, lane, told: `receiving ${bytes(range[1])}` });
  if (end === "failed" && range[1]) pieces.push({ from: start + ended, to: start + ended, kind: "fail", lane, told: "broke off" });
  return pieces;
}

/** Ranges beside each other where they overlap: [lane, range] each. What finds no lane of its own is drawn over the last. */
function inLanes(ranges) {
  const free = [];
  return [...ranges].sort((one, other) => one[2] - other[2]).map((range) => {
    let lane = free.findIndex((until) => until <= range[2] + 1e-6);
    if (lane < 0) lane = Math.min(free.length, LANES - 1);
    free[lane] = Math.max(free[lane] || 0, range[4]);
    return [lane, range];
  });
}

/** Draw pieces in a box, from `from` to `to`. */
function draw(pieces, told, from = view.from, to = view.to) {
  const box = make("div", { class: "bars", role: "img", "aria-label": told });
  const lanes = 1 + Math.max(0, ...pieces.map((piece) => piece.lane || 0)), scale = 100 / (to - from);
  for (const piece of pieces) {
    if (piece.to < from || piece.from > to) continue;
    const bar = make("i", { class: piece.kind, title: piece.from === piece.to ? piece.told : `${piece.told}: ${seconds(piece.to - piece.from)}` });
    const left = Math.max(piece.from, from);
    bar.style.left = `${(left - from) * scale}%`;
    if (piece.kind === "mark") bar.textContent = piece.text;
    else bar.style.width = `${(Math.min(piece.to, to) - left) * scale}%`;
    if (piece.lane !== undefined && lanes > 1) {
      bar.style.top = `${(piece.lane * 100) / lanes}%`;
      bar.style.height = `calc(${100 / lanes}% - 1px)`;
    }
    box.append(bar);
  }
  return box;
}

function drawRow(row) {
  const ranges = rangesOf(row).length;
  const told = row[START] === null ? "never started" : `from ${seconds(row[START])} to ${seconds(row[START] + row[TOOK])}` + (ranges > 1 ? `, ${ranges} ranges` : "") + (row[RETRIES] ? `, ${counted(row[RETRIES], "retry", "retries")}` : "");
  return draw(piecesOf(row), told);
}

function drawLegend() {
  const several = ROWS.some((row) => row[MORE] && (row[MORE].sources || []).length > 1);
  const marks = new Set(ROWS.flatMap((row) => notesOf(row).map((note) => note.event)));
  const items = LEGEND.filter(([, , needs]) => !needs || several).map(([kind, text]) => make("li", {}, make("i", { class: kind === "lost" ? "s0 lost" : kind }), text));
  for (const [event, [sign, text]] of Object.entries(MARKS)) if (marks.has(event)) items.push(make("li", {}, make("i", { class: "mark" }, sign), text));
  document.getElementById("legend").append(...items);
}
