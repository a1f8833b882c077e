"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const KEY = `annotation/${data.digest}`;
const SEEK_S = 5;
const $ = (id) => document.getElementById(id);
const byId = new Map(data.clips.map((clip) => [clip.id, clip]));
const numQuestions = data.clips.flatMap((clip) => clip.labels).length;

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
const isOpen = (clip) => answersOf(clip).size < clip.labels.length;
const here = () => data.clips[state.position];

// The first row at or below `start` that a test holds for, else the first above it.
const nextFrom = (rows, start, holds) =>
  [...rows.keys()].map((row) => (start + row) % rows.length).find((row) => holds(rows[row]));

function give(label, answer) {
  const given = answersOf(here());
  answer ? given.set(label, answer) : given.delete(label);
  state.answers.set(here().id, given);
  save();
  say(`Clip ${state.position + 1}: ${label}: ${answer || "open again"}.`);
  const open = nextFrom(here().labels, here().labels.indexOf(label) + 1, (one) => !given.has(one));
  if (answer && open !== undefined) marked = open;
  if (answer && open === undefined && state.advance && state.position + 1 < data.clips.length) go(state.position + 1);
  else drawAnswers();
  if (answer && numAnswers() === numQuestions) say("All questions are answered: download the answers (D).");
}

// ---- What is shown.

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

// Properties are those of the element in JavaScript, else attributes, as ARIA's are.
function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function urlOf(id, type) {
  const bytes = Uint8Array.from(atob($(id).textContent), (character) => character.charCodeAt(0));
  urls.push(URL.createObjectURL(new Blob([bytes], { type })));
  return urls.at(-1);
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
  $("time").hidden = !hasPicture;
  if (hasPicture) $("spectrogram").src = urlOf(`picture-${row}`, "image/png");
  $("audio").src = here().file || urlOf(`audio-${row}`, here().type);
  drawAxis();
  showExisting(false);
}

function drawAxis() {
  const step = [1, 2, 5, 10, 30, 60].find((one) => here().heard_s / one <= 8) ?? 300;
  const seconds = [...Array(Math.floor(here().heard_s / step) + 1).keys()].map((number) => number * step);
  $("axis").replaceChildren(...seconds.filter((second) => second < 0.97 * here().heard_s).map((second) =>
    element("span", { style: `left: ${(100 * second) / here().heard_s}%` }, second || "0 s")));
}

function drawAnswers() {
  const clip = here();
  $("where").title = clip.id;
  $("where").textContent = `Clip ${state.position + 1} of ${data.clips.length}`;
  $("questions").replaceChildren(...clip.labels.map((label, row) => question(clip, label, row)));
  const done = data.clips.filter((one) => !isOpen(one)).length;
  Object.assign($("bar"), { max: numQuestions, value: numAnswers() });
  $("progress").textContent =
    `${numAnswers()} of ${numQuestions} answers, ${done} of ${data.clips.length} clips complete`;
  [...$("overview").children].forEach((cell, row) => {
    const one = data.clips[row];
    const kind = !isOpen(one) ? "done" : answersOf(one).size ? "part" : "open";
    cell.className = `cell ${kind}${row === state.position ? " here" : ""}`;
    cell.setAttribute("aria-label", `Clip ${row + 1}: ${kind}`);
  });
}

function question(clip, label, row) {
  const given = answersOf(clip).get(label);
  const buttons = data.answers.map((answer) => {
    const properties = { "aria-pressed": given === answer, onclick: () => give(label, given === answer ? null : answer) };
    return element("button", properties, `${answer} `, element("kbd", {}, answer[0].toUpperCase()));
  });
  const className = `question${row === marked ? " marked" : ""}`;
  return element("div", { className, role: "group", "aria-label": label }, element("strong", {}, label), ...buttons);
}

function showExisting(shown) {
  const tags = here().existing.join(", ") || "none";
  $("existing").textContent = shown ? tags : "";
  $("show").setAttribute("aria-expanded", String(shown));
  $("show").replaceChildren(shown ? "Hide existing tags " : "Show existing tags ", element("kbd", {}, "T"));
}

// ---- Sound. A clip is a part of its file.

const start = () => here().start_s;
const end = () => start() + here().heard_s;

function play() {
  const audio = $("audio");
  if (audio.currentTime < start() || audio.currentTime >= end()) audio.currentTime = start();
  audio.play().catch(() => {});
}

function seek(seconds) {
  $("audio").currentTime = Math.max(start(), Math.min(seconds, end() - 0.1));
}

function drawPlayhead() {
  const share = ($("audio").currentTime - start()) / here().heard_s;
  $("playhead").style.left = `${100 * Math.max(0, Math.min(share, 1))}%`;
  requestAnimationFrame(drawPlayhead);
}

// ---- CSV.

// An apostrophe keeps spreadsheets from computing a cell.
const formula = /^'*[=+\-@＝＋－＠\t\r\n]/;
const guard = (cell) => (formula.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell);
const unguard = (cell) => (cell.startsWith("'") && formula.test(cell) ? cell.slice(1) : cell);
const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

function toCsv() {
  const rows = data.clips.flatMap((clip) => clip.labels.filter((label) => answersOf(clip).has(label))
    .map((label) => [clip.id, label, answersOf(clip).get(label), state.annotator]));
  return [data.columns, ...rows].map((row) => `${row.map(guard).map(quote).join(",")}\n`).join("");
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
  let line = 1, first = 1, cells = [];
  // Of each cell: what is quoted, the rest, and what ends it.
  const pattern = /(?:"((?:[^"]|"")*)(?:"|$))?([^,\n]*)(,|\n|$)/g;
  for (const [whole, quoted = "", rest, end] of text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n").matchAll(pattern)) {
    cells.push(quoted.replaceAll('""', '"') + rest);
    line += whole.split("\n").length - 1;
    if (end === ",") continue;
    if (cells.length > 1 || cells[0]) records.push([first, cells.map((one) => unguard(one.trim()))]);
    [first, cells] = [line, []];
  }
  return records;
}

// Returns the rows of a file, or throws an Error that names the line.
function readCsv(text) {
  const [[, header] = [1, []], ...records] = parseCsv(text);
  if ([...header].sort().join() !== [...data.columns].sort().join())
    throw new Error(`line 1: the columns must be ${data.columns.join(",")}`);
  const rows = [], questions = new Set();
  for (const [line, cells] of records) {
    const row = Object.fromEntries(header.map((name, column) => [name, cells[column] ?? ""]));
    const wrong = (what) => new Error(`line ${line}: ${what}`);
    const clip = byId.get(row.track_id);
    const { annotator } = rows[0] || row;
    if (cells.length !== header.length) throw wrong(`${cells.length} values instead of ${header.length}`);
    if (!clip) throw wrong(`"${row.track_id}" is no clip of this page`);
    if (!clip.labels.includes(row.label)) throw wrong(`"${row.label}" is not asked of "${row.track_id}"`);
    if (!data.answers.includes(row.answer)) throw wrong(`"${row.answer}" is none of ${data.answers.join(", ")}`);
    if (row.annotator !== annotator) throw wrong(`two names, "${annotator}" and "${row.annotator}"`);
    const question = JSON.stringify([row.track_id, row.label]);
    if (questions.has(question)) throw wrong(`"${row.label}" of "${row.track_id}" is answered twice`);
    questions.add(question);
    rows.push(row);
  }
  const annotator = rows[0]?.annotator;
  if (annotator && state.annotator && annotator !== state.annotator)
    throw new Error(`the answers are ${annotator}'s, and you are ${state.annotator}`);
  return rows;
}

async function upload(file) {
  try {
    const rows = readCsv(await file.text());
    const differs = ({ track_id, label, answer }) => (state.answers.get(track_id)?.get(label) ?? answer) !== answer;
    const changed = rows.filter(differs).length;
    if (changed && !confirm(`${changed} answers here differ from the file's. Take the file's?`)) return;
    for (const { track_id, label, answer } of rows)
      state.answers.set(track_id, (state.answers.get(track_id) || new Map()).set(label, answer));
    $("annotator").value = state.annotator ||= rows[0]?.annotator || "";
    go(nextFrom(data.clips, 0, isOpen) ?? 0, false);
    say(`${rows.length} answers were read from ${file.name}.`);
  } catch (error) {
    say(`${file.name}: ${error.message}. Nothing was taken from it.`, true);
  }
}

// ---- Wiring.

function nextOpen() {
  const found = nextFrom(data.clips, state.position + 1, isOpen);
  found === undefined ? say("No question is open.") : go(found);
}

function mark(step) {
  const count = here().labels.length;
  marked = (marked + step + count) % count;
  drawAnswers();
}

// The name takes every key; check boxes and the file button need the space bar.
const isTyping = ({ target, key }) => target === $("annotator") || (target.tagName === "INPUT" && key === " ");
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
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  const act = letters[key] ? () => give(here().labels[marked], letters[key]) : KEYS[key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  if (!event.repeat || key === "j" || key === "l") act();
}, true);
// A button that has the focus would take the space bar's release for a click.
window.addEventListener("keyup", (event) => {
  if (event.key === " " && !isTyping(event)) event.preventDefault();
}, true);

// Another tab with the same questions: take over what it kept.
window.addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  const { position } = state;
  load();
  state.position = position;
  drawAnswers();
});

$("annotator").oninput = () => { state.annotator = $("annotator").value.trim(); save(); };
$("annotator").onkeydown = (event) => { if (event.key === "Enter") $("annotator").blur(); };
$("download").onclick = download;
$("upload").onchange = async () => {
  if ($("upload").files.length) await upload($("upload").files[0]);
  $("upload").value = "";
};
$("restart").onclick = () => {
  if (!confirm("Forget your name and all answers in this browser? Download them first to keep them.")) return;
  state = { ...state, annotator: "", answers: new Map() };
  $("annotator").value = "";
  go(0, false);
  say("");
};
$("previous").onclick = KEYS.arrowleft;
$("next").onclick = KEYS.arrowright;
$("open").onclick = nextOpen;
$("show").onclick = KEYS.t;
$("picture").onclick = (event) => {
  const box = $("picture").getBoundingClientRect();
  seek(start() + ((event.clientX - box.left) / box.width) * here().heard_s);
};
$("audio").onloadedmetadata = () => { if ($("audio").currentTime < start()) seek(start()); };
$("audio").ontimeupdate = () => { if ($("audio").currentTime >= end()) $("audio").pause(); };
$("audio").onerror = () => say("This browser cannot play the clip: is its folder beside the page? Other browsers know other formats.", true);

load();
$("annotator").value = state.annotator;
for (const name of ["advance", "autoplay"]) {
  $(name).checked = state[name];
  $(name).onchange = () => { state[name] = $(name).checked; save(); };
}
$("overview").append(...data.clips.map((_, row) => element("button", { title: `Clip ${row + 1}`, onclick: () => go(row) })));
go(state.position, false);
drawPlayhead();
