"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const KEY = `annotation/${data.digest}`;
const SEEK_S = 5;
const $ = (id) => document.getElementById(id);
const byId = new Map(data.clips.map((clip) => [clip.id, clip]));
const numQuestions = data.clips.reduce((sum, clip) => sum + clip.labels.length, 0);

// Answers are Maps inside of a Map: a track id may be any text, "__proto__" too.
let state = { annotator: "", position: 0, advance: true, autoplay: true, answers: new Map() };
let marked = 0;
let urls = [];

// ---- Kept in the browser, under the digest of the questions.

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) || "null");
    if (!kept) return;
    const answers = new Map(kept.answers.map(([id, given]) => [id, new Map(given)]));
    state = { ...state, ...kept, answers };
  } catch (error) {
    say(`What this browser kept cannot be read (${error.message}); starting afresh.`, true);
  }
}

function save() {
  const answers = [...state.answers].map(([id, given]) => [id, [...given]]);
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...state, answers }));
  } catch (error) {
    say("This browser keeps nothing of this page: download your answers before you close it.", true);
  }
}

// ---- Answers.

const answersOf = (clip) => state.answers.get(clip.id) || new Map();
const numAnswers = () => data.clips.reduce((sum, clip) => sum + answersOf(clip).size, 0);
const isDone = (clip) => answersOf(clip).size === clip.labels.length;
const here = () => data.clips[state.position];

function give(label, answer) {
  const given = answersOf(here());
  answer ? given.set(label, answer) : given.delete(label);
  state.answers.set(here().id, given);
  save();
  say(`Clip ${state.position + 1}: ${label}: ${answer || "open again"}.`);
  // The next open label below, else the first.
  const isOpen = (one, row) => !given.has(one) && row > here().labels.indexOf(label);
  const below = here().labels.findIndex(isOpen);
  const open = below >= 0 ? below : here().labels.findIndex((one) => !given.has(one));
  if (answer && open >= 0) marked = open;
  if (answer && open < 0 && state.advance && state.position + 1 < data.clips.length) go(state.position + 1);
  else drawAnswers();
  if (answer && numAnswers() === numQuestions) say("All questions are answered: download the answers (D).");
}

// ---- What is shown.

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function bytesOf(id) {
  return Uint8Array.from(atob($(id).textContent), (character) => character.charCodeAt(0));
}

function urlOf(id, type) {
  const url = URL.createObjectURL(new Blob([bytesOf(id)], { type }));
  urls.push(url);
  return url;
}

function go(position, sound = state.autoplay) {
  state.position = Math.max(0, Math.min(position, data.clips.length - 1));
  marked = Math.max(0, here().labels.findIndex((label) => !answersOf(here()).has(label)));
  save();
  drawClip();
  drawAnswers();
  if (sound) play();
}

function drawClip() {
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
  const row = state.position;
  const hasPicture = Boolean($(`picture-${row}`));
  $("picture").hidden = $("axis").hidden = !hasPicture;
  if (hasPicture) $("spectrogram").src = urlOf(`picture-${row}`, "image/png");
  $("audio").src = here().file || urlOf(`audio-${row}`, here().type);
  showExisting(false);
}

function drawAnswers() {
  const clip = here();
  $("where").title = clip.id;
  $("where").textContent = `Clip ${state.position + 1} of ${data.clips.length}`;
  $("questions").replaceChildren(...clip.labels.map((label, row) => question(clip, label, row)));
  const done = data.clips.filter(isDone).length;
  $("bar").max = numQuestions;
  $("bar").value = numAnswers();
  $("progress").textContent =
    `${numAnswers()} of ${numQuestions} answers, ${done} of ${data.clips.length} clips complete`;
  [...$("overview").children].forEach((cell, row) => {
    const one = data.clips[row];
    const kind = isDone(one) ? "done" : answersOf(one).size ? "part" : "open";
    cell.className = `cell ${kind}${row === state.position ? " here" : ""}`;
    cell.setAttribute("aria-label", `Clip ${row + 1}: ${kind}`);
  });
}

function question(clip, label, row) {
  const given = answersOf(clip).get(label);
  const buttons = data.answers.map((answer) => {
    const button = element("button", {}, `${answer} `, element("kbd", {}, answer[0].toUpperCase()));
    button.setAttribute("aria-pressed", String(given === answer));
    button.addEventListener("click", () => give(label, given === answer ? null : answer));
    return button;
  });
  const made = element("div", { className: `question${row === marked ? " marked" : ""}` });
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", label);
  made.append(element("strong", {}, label), ...buttons);
  return made;
}

function showExisting(shown) {
  const tags = here().existing.join(", ") || "none";
  $("existing").textContent = shown ? tags : "";
  $("show").setAttribute("aria-expanded", String(shown));
  $("show").replaceChildren(shown ? "Hide existing tags " : "Show existing tags ", element("kbd", {}, "T"));
}

// ---- Sound. A clip is a part of its file.

const start = () => here().start_s;
const end = () => start() + data.duration_s;

function play() {
  const audio = $("audio");
  if (audio.currentTime < start() || audio.currentTime >= end()) audio.currentTime = start();
  audio.play().catch(() => {});
}

function seek(seconds) {
  $("audio").currentTime = Math.max(start(), Math.min(seconds, end() - 0.1));
}

function drawPlayhead() {
  const share = ($("audio").currentTime - start()) / data.duration_s;
  $("playhead").style.left = `${100 * Math.max(0, Math.min(share, 1))}%`;
  requestAnimationFrame(drawPlayhead);
}

// ---- CSV.

const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

function toCsv() {
  const rows = data.clips.flatMap((clip) =>
    clip.labels
      .filter((label) => answersOf(clip).has(label))
      .map((label) => [clip.id, label, answersOf(clip).get(label), state.annotator])
  );
  return [data.columns, ...rows].map((row) => `${row.map(quote).join(",")}\n`).join("");
}

function download() {
  if (!state.annotator) {
    $("annotator").focus();
    return say("Give your name first: it goes into every row.", true);
  }
  const url = URL.createObjectURL(new Blob([toCsv()], { type: "text/csv" }));
  const name = `${data.name}-${state.annotator.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say(`${numAnswers()} of ${numQuestions} answers went to ${name}.`);
}

// Returns [line, cells] of every record; a quoted cell may hold commas and line breaks.
function parseCsv(text) {
  const records = [];
  const source = text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
  let line = 1, first = 1, cells = [], cell = "", quoted = false;
  const endRecord = () => {
    if (cells.length || cell) records.push([first, [...cells, cell].map((one) => one.trim())]);
    cells = [];
    cell = "";
    first = line;
  };
  for (let i = 0; i < source.length; i++) {
    const one = source[i];
    line += one === "\n";
    if (quoted && one === '"' && source[i + 1] === '"') { cell += one; i++; }
    else if (one === '"' && (quoted || !cell)) quoted = !quoted;
    else if (one === "," && !quoted) { cells.push(cell); cell = ""; }
    else if (one === "\n" && !quoted) endRecord();
    else cell += one;
  }
  endRecord();
  return records;
}

// Returns the answers of a file, or throws an Error that names the line.
function readCsv(text) {
  const [head, ...records] = parseCsv(text);
  const header = head ? head[1] : [];
  if ([...header].sort().join() !== [...data.columns].sort().join())
    throw new Error(`line 1: the columns must be ${data.columns.join(",")}`);
  const read = new Map();
  let annotator = null;
  for (const [line, cells] of records) {
    const row = Object.fromEntries(header.map((name, column) => [name, cells[column] ?? ""]));
    const wrong = (what) => new Error(`line ${line}: ${what}`);
    const clip = byId.get(row.track_id);
    if (cells.length !== header.length) throw wrong(`${cells.length} values instead of ${header.length}`);
    if (!clip) throw wrong(`"${row.track_id}" is no clip of this page`);
    if (!clip.labels.includes(row.label)) throw wrong(`"${row.label}" is not asked of "${row.track_id}"`);
    if (!data.answers.includes(row.answer)) throw wrong(`"${row.answer}" is none of ${data.answers.join(", ")}`);
    annotator ??= row.annotator;
    if (row.annotator !== annotator) throw wrong(`two names, "${annotator}" and "${row.annotator}"`);
    const given = read.get(row.track_id) || new Map();
    if (given.has(row.label)) throw wrong(`"${row.label}" of "${row.track_id}" is answered twice`);
    read.set(row.track_id, given.set(row.label, row.answer));
  }
  if (annotator && state.annotator && annotator !== state.annotator)
    throw new Error(`the answers are ${annotator}'s, and you are ${state.annotator}`);
  return { annotator, read };
}

async function upload(file) {
  try {
    const { annotator, read } = readCsv(await file.text());
    let changed = 0, taken = 0;
    read.forEach((given, id) => given.forEach((answer, label) => {
      const before = (state.answers.get(id) || new Map()).get(label);
      changed += before !== undefined && before !== answer;
      taken += 1;
    }));
    if (changed && !confirm(`${changed} answers here differ from the file's. Take the file's?`)) return;
    read.forEach((given, id) => state.answers.set(id, new Map([...(state.answers.get(id) || []), ...given])));
    state.annotator ||= annotator || "";
    $("annotator").value = state.annotator;
    const open = data.clips.findIndex((clip) => !isDone(clip));
    go(Math.max(0, open), false);
    say(`${taken} answers were read from ${file.name}.`);
  } catch (error) {
    say(`${file.name}: ${error.message}. Nothing was taken from it.`, true);
  }
}

// ---- Wiring.

function nextOpen() {
  const order = [...data.clips.keys()].map((row) => (state.position + 1 + row) % data.clips.length);
  const found = order.find((row) => !isDone(data.clips[row]));
  found === undefined ? say("No question is open.") : go(found);
}

function mark(step) {
  const count = here().labels.length;
  marked = (marked + step + count) % count;
  drawAnswers();
}

// The name takes every key; check boxes and the file button need the space bar.
const isTyping = (target, key) =>
  target === $("annotator") || (target.tagName === "INPUT" && key === " ");
const letters = Object.fromEntries(data.answers.map((answer) => [answer[0], answer]));
const KEYS = {
  " ": () => ($("audio").paused ? play() : $("audio").pause()),
  j: () => seek($("audio").currentTime - SEEK_S),
  l: () => seek($("audio").currentTime + SEEK_S),
  arrowup: () => mark(-1),
  arrowdown: () => mark(1),
  arrowleft: () => go(state.position - 1),
  arrowright: () => go(state.position + 1),
  g: nextOpen,
  delete: () => give(here().labels[marked], null),
  t: () => showExisting($("show").getAttribute("aria-expanded") !== "true"),
  d: download,
};

// Before the player sees the key, which has meanings of its own for some.
window.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target, key)) return;
  const act = letters[key] ? () => give(here().labels[marked], letters[key]) : KEYS[key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  if (!event.repeat || key === "j" || key === "l") act();
}, true);
// A button that has the focus would take the space bar's release for a click.
window.addEventListener("keyup", (event) => {
  if (event.key === " " && !isTyping(event.target, " ")) event.preventDefault();
}, true);

// Another tab with the same questions: take over what it kept.
window.addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  const { position } = state;
  load();
  state.position = position;
  drawAnswers();
});

$("annotator").addEventListener("input", () => { state.annotator = $("annotator").value.trim(); save(); });
$("annotator").addEventListener("keydown", (event) => { if (event.key === "Enter") $("annotator").blur(); });
$("download").addEventListener("click", download);
$("upload").addEventListener("change", () => {
  if ($("upload").files.length) upload($("upload").files[0]).then(() => { $("upload").value = ""; });
});
$("restart").addEventListener("click", () => {
  if (!confirm("Forget your name and all answers in this browser? Download them first to keep them.")) return;
  state = { ...state, annotator: "", answers: new Map() };
  $("annotator").value = "";
  go(0, false);
  say("");
});
$("previous").addEventListener("click", () => go(state.position - 1));
$("next").addEventListener("click", () => go(state.position + 1));
$("open").addEventListener("click", nextOpen);
$("show").addEventListener("click", KEYS.t);
for (const name of ["advance", "autoplay"])
  $(name).addEventListener("change", () => { state[name] = $(name).checked; save(); });
$("picture").addEventListener("click", (event) => {
  const box = $("picture").getBoundingClientRect();
  seek(start() + ((event.clientX - box.left) / box.width) * data.duration_s);
});
$("audio").addEventListener("loadedmetadata", () => { if ($("audio").currentTime < start()) seek(start()); });
$("audio").addEventListener("timeupdate", () => { if ($("audio").currentTime >= end()) $("audio").pause(); });
$("audio").addEventListener("error", () => say("This browser cannot play the clip: is its folder beside the page? Other browsers know other formats.", true));

load();
$("annotator").value = state.annotator;
for (const name of ["advance", "autoplay"]) $(name).checked = state[name];
$("overview").append(...data.clips.map((_, row) => {
  const cell = element("button", { title: `Clip ${row + 1}` });
  cell.addEventListener("click", () => go(row));
  return cell;
}));
for (let second = 0; second <= data.duration_s; second += SEEK_S) {
  const tick = element("span", {}, second ? String(second) : "0 s");
  tick.style.left = `${(100 * second) / data.duration_s}%`;
  $("axis").append(tick);
}
go(state.position, false);
