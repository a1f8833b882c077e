"use strict";
const LIMIT_BYTES = Number(document.body.dataset.limitBytes);
const NUM_SHOWN = 12; // Tags, or as many as are over their thresholds, until more are asked for.
const CELL_PX = 32; // What a score needs to be legible.
const TICK_PX = 48;
const $ = (id) => document.getElementById(id);
const songs = []; // Handed in, the oldest first: each a file, and its answer or what is wrong.
let song = null; // The answer that is shown.
let sent = null; // Ends the request that is under way.
let all = false; // Whether every tag is shown.

// ---- Handing in files.

// Songs wait in line; the first of those handed in together is shown when it is there.
async function hand(files) {
  songs.push(...files.map((file, number) => ({ file, comesFirst: !number })));
  drawSongs();
  if (sent) return;
  for (let next; (next = songs.find((one) => !one.answer && !one.problem)); ) await tag(next);
}

async function tag(one) {
  const { file } = one;
  one.begun = true;
  sent = new AbortController();
  if (one.comesFirst) show(null);
  try {
    if (file.size > LIMIT_BYTES) throw new Error(`The file is larger than ${LIMIT_BYTES / 1e6} MB, the most allowed.`);
    say(`${file.name} is being tagged …`, "busy");
    one.answer = await answerTo(file, sent.signal);
    say(`${file.name} is tagged.`);
    if (one.comesFirst || !song) show(one);
  } catch (error) {
    one.problem = sent.signal.aborted ? "stopped" : error.message;
    say(`${file.name}: ${one.problem}`, "wrong");
  }
  sent = null;
  drawSongs();
}

// What is under way ends, and what waits is not begun.
function stop() {
  for (const one of songs.filter(({ answer }) => !answer)) one.problem ??= "stopped";
  sent?.abort();
}

async function answerTo(file, signal) {
  let answer;
  try {
    answer = await fetch("tag", { method: "POST", body: file, signal, headers: { "Content-Type": "application/octet-stream" } });
  } catch {
    throw new Error("It could not be sent. Is it a folder? Is the server still running?");
  }
  const said = await answer.json().catch(() => ({ error: `The server's answer was cut off (status ${answer.status}).` }));
  if (said.error) throw new Error(said.error);
  return said;
}

function say(text, state = "") {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", state === "wrong");
  $("busy").hidden = state !== "busy";
}

// Tags over thresholds that can be relied on.
const passing = (answer) => answer.tags.filter((tag) => tag.passes && tag.is_firm).map((tag) => tag.tag);

function summary(answer) {
  const over = passing(answer);
  if (!hasThresholds(answer)) return `The highest score is that of ${answer.tags[0].tag}.`;
  if (!over.length) return "No tag is over its threshold; the nearest scores are below.";
  return `${over.length} of ${answer.tags.length} tags ${over.length === 1 ? "is over its threshold" : "are over their thresholds"}: ${over.join(", ")}.`;
}

// ---- What is shown.

const hasThresholds = (answer) => answer.tags.some((tag) => tag.threshold !== null);

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A name of a file breaks where its words end.
const breakable = (name) => name.split(/(?<=[-_/])|(?<=\.)(?=.{6})/).flatMap((word) => [word, document.createElement("wbr")]);

// Shows a song, or none.
function show(one) {
  all = false;
  song = one?.answer ?? null;
  $("result").hidden = !one;
  if ($("audio").dataset.url) URL.revokeObjectURL($("audio").dataset.url);
  $("audio").removeAttribute("src");
  $("silent").hidden = true;
  drawSongs();
  if (!one) return;
  $("audio").src = $("audio").dataset.url = URL.createObjectURL(one.file);
  $("name").replaceChildren(...breakable(one.file.name));
  $("facts").textContent = song.facts;
  $("summary").textContent = summary(song);
  $("spectrogram").src = song.spectrogram;
  $("spectrogram").style.width = `${(100 * song.spectrogram_s) / song.duration_s}%`;
  $("frequencies").replaceChildren(...song.frequencies.map(({ name, height }) => {
    const tick = element("span", {}, name);
    tick.style.bottom = `${100 * height}%`;
    return tick;
  }));
  $("time-legend").textContent = song.starts_s.length > 1
    ? `Each excerpt is tagged by itself: the fuller the colour, the higher the score${hasThresholds(song) ? "; a line below marks scores over the threshold" : ""}. Click to play from there.`
    : "The song is one excerpt, so its scores do not change over time. Click to play from there.";
  $("taggram").hidden = song.starts_s.length === 1;
  drawTags();
}

// All songs so far, as soon as there are two: a click shows one again.
function drawSongs() {
  $("history").hidden = songs.length < 2;
  $("songs").replaceChildren(...songs.map((one) => {
    const { answer, begun, problem, file } = one;
    const said = answer ? inShort(answer) : problem ?? (begun ? "is being tagged …" : "waits");
    const properties = { className: problem ? "song wrong" : "song", onclick: () => answer && showAgain(one) };
    const button = element(answer ? "button" : "div", properties, element("strong", {}, ...breakable(file.name)), element("span", {}, said));
    if (answer && answer === song) button.setAttribute("aria-current", "true");
    return element("li", {}, button);
  }));
}

function showAgain(one) {
  show(one);
  $("name").scrollIntoView({ block: "nearest" });
}

function inShort(answer) {
  const over = passing(answer), byScore = [...answer.tags].sort((one, other) => other.score - one.score);
  return over.length ? over.map((tag) => `✓ ${tag}`).join(", ") : `highest: ${byScore.slice(0, 3).map((tag) => tag.tag).join(", ")}`;
}

// What depends on how wide the page is.
function fit() {
  if (!song) return;
  const width = $("axis").clientWidth;
  for (const one of document.querySelectorAll(".cell")) one.classList.toggle("tight", one.clientWidth < CELL_PX);
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300].find((one) => song.duration_s / one <= width / TICK_PX) ?? 600;
  $("axis").replaceChildren();
  for (let second = 0; second < 0.97 * song.duration_s; second += step) {
    const tick = element("span", {}, clock(second));
    tick.style.left = `${(100 * second) / song.duration_s}%`;
    $("axis").append(tick);
  }
}

const digits = (score) => score.toFixed(3);
const clock = (second) => `${Math.floor(second / 60)}:${String(Math.floor(second % 60)).padStart(2, "0")}`;

function drawTags() {
  const few = Math.max(NUM_SHOWN, passing(song).length);
  const tags = all ? song.tags : song.tags.slice(0, few);
  $("more").hidden = song.tags.length <= few;
  $("more").textContent = all ? `Only ${few} tags` : `All ${song.tags.length} tags`;
  $("more").setAttribute("aria-expanded", String(all));
  $("tags").tBodies[0].replaceChildren(...tags.map(row));
  drawTaggram(tags);
  fit();
}

// Bars go from 0 to 1 for every song, so that songs can be compared.
function row(tag) {
  const bar = element("i", {});
  bar.style.width = `${100 * tag.score}%`;
  const meter = element("div", { className: "meter" }, bar);
  if (tag.threshold !== null) {
    const mark = element("b", {});
    mark.style.left = `${100 * tag.threshold}%`;
    meter.append(mark);
  }
  meter.setAttribute("aria-hidden", "true");
  const spread = tag.deviation === null ? "" : ` ± ${digits(tag.deviation)}`;
  const name = element("th", { scope: "row" }, tag.tag);
  const state = !tag.passes ? "" : tag.is_firm ? "passes" : "unsure";
  const said = { passes: " (over its threshold)", unsure: " (over a threshold that says little)" }[state];
  if (said) name.append(element("span", { className: "hidden" }, said));
  const percent = tag.precision === null ? "–" : `${Math.round(100 * tag.precision)} %`;
  return element(
    "tr", { className: state }, name,
    element("td", { className: "track" }, meter),
    element("td", { className: "score" }, digits(tag.score), element("span", { className: "roomy" }, spread)),
    element("td", { className: "wide" }, tag.threshold === null ? "–" : digits(tag.threshold)),
    element("td", { className: "wide" }, percent)
  );
}

function drawTaggram(tags) {
  const starts = song.starts_s;
  const length = Math.min(song.excerpt_s, song.duration_s);
  // Each cell lies below its part of the spectrogram; silence between has none.
  const cells = (make, role) => {
    const made = starts.map((start, e) => {
      const cell = make(e);
      cell.style.left = `${(100 * start) / song.duration_s}%`;
      cell.style.width = `${(100 * Math.min(length, song.duration_s - start)) / song.duration_s}%`;
      cell.setAttribute("role", role);
      return cell;
    });
    const group = element("div", { className: "cells seek" }, ...made);
    group.setAttribute("role", "presentation");
    return group;
  };
  const line = (label, role, group) => {
    label.setAttribute("role", role);
    const made = element("div", { className: "line" }, label, group);
    made.setAttribute("role", "row");
    return made;
  };
  const head = line(element("span", { className: "hidden" }, "tag"), "columnheader",
    cells((e) => element("span", { className: "hidden" }, `from ${clock(starts[e])}`), "columnheader"));
  head.className = "hidden";
  $("taggram").replaceChildren(head, ...tags.map((tag) =>
    line(element("span", {}, tag.tag), "rowheader", cells((e) => cell(tag, e), "cell"))));
}

function cell(tag, e) {
  const score = tag.over_time[e];
  const made = element("div", { className: "cell", title: `${tag.tag}, ${clock(song.starts_s[e])}: ${digits(score)}` },
    element("span", {}, score.toFixed(2).replace(/^0/, "")));
  made.style.setProperty("--share", Math.sqrt(score)); // Most scores are small.
  made.classList.toggle("passes", tag.is_firm && tag.threshold !== null && score >= tag.threshold);
  return made;
}

// ---- Sound.

function drawPlayhead() {
  const { currentTime, paused } = $("audio");
  $("playhead").hidden = !song || (paused && !currentTime);
  if (song) $("playhead").style.setProperty("--at", Math.min(currentTime / song.duration_s, 1));
  requestAnimationFrame(drawPlayhead);
}

$("time").addEventListener("click", (event) => {
  const place = event.target.closest(".seek");
  if (!place) return;
  const box = place.getBoundingClientRect();
  $("audio").currentTime = ((event.clientX - box.left) / box.width) * song.duration_s;
  $("audio").play().catch(() => {});
});
$("audio").addEventListener("error", () => { if ($("audio").src) $("silent").hidden = false; });

// ---- Wiring.

$("file").addEventListener("change", () => {
  const files = [...$("file").files];
  $("file").value = ""; // The same file again is a change, too.
  hand(files);
});
$("sample").addEventListener("click", async () => {
  try {
    const answer = await fetch("sample.mp3");
    hand([new File([await answer.blob()], "Sample, made by a program.mp3")]);
  } catch (error) {
    say(`The sample cannot be loaded (${error.message}). Is the server still running?`, "wrong");
  }
});
$("stop").addEventListener("click", stop);
$("more").addEventListener("click", () => { all = !all; drawTags(); });
window.addEventListener("resize", fit);
// Anywhere on the page: outside the frame the browser would open the file instead.
for (const name of ["dragenter", "dragover", "dragleave", "drop"])
  window.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop") hand([...event.dataTransfer.files]);
  });
requestAnimationFrame(drawPlayhead);
