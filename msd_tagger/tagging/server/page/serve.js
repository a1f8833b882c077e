"use strict";
const LIMIT_BYTES = Number(document.body.dataset.limitBytes);
const NUM_SHOWN = 12; // Tags, or as many as are over their thresholds, until more are asked for.
const CELL_PX = 32; // What a score needs to be legible.
const TICK_PX = 48;
const $ = (id) => document.getElementById(id);
let song = null; // The answer that is shown.
let sent = null; // Ends the request that is under way.
let all = false; // Whether every tag is shown.

// ---- Handing in a file.

async function hand(files) {
  const [file] = files;
  if (!file) return;
  sent?.abort();
  const request = (sent = new AbortController());
  $("result").hidden = true;
  $("audio").removeAttribute("src");
  try {
    if (file.size > LIMIT_BYTES) throw new Error(`The file is larger than ${LIMIT_BYTES / 1e6} MB, the most allowed.`);
    say(`${file.name} is being tagged …`, "busy");
    const found = await answerTo(file, request.signal);
    if (sent !== request) return;
    song = found;
    show(file);
    say(summary(file, files.length));
  } catch (error) {
    if (sent === request) say(`${file.name}: ${error.message}`, "wrong");
  }
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

function summary(file, numFiles) {
  const over = song.tags.filter((tag) => tag.passes).map((tag) => tag.tag);
  const others = numFiles > 1 ? ` Of ${numFiles} files only the first was taken.` : "";
  if (!hasThresholds()) return `The highest score is that of ${song.tags[0].tag}.${others}`;
  if (!over.length) return `No tag is over its threshold; the nearest scores are below.${others}`;
  return `${over.length} of ${song.tags.length} tags ${over.length === 1 ? "is over its threshold" : "are over their thresholds"}: ${over.join(", ")}.${others}`;
}

// ---- What is shown.

const hasThresholds = () => song.tags.some((tag) => tag.threshold !== null);

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function show(file) {
  all = false;
  if ($("audio").dataset.url) URL.revokeObjectURL($("audio").dataset.url);
  $("audio").src = $("audio").dataset.url = URL.createObjectURL(file);
  $("silent").hidden = true;
  $("result").hidden = false;
  $("name").textContent = file.name;
  $("facts").textContent = song.facts;
  $("spectrogram").src = song.spectrogram;
  $("spectrogram").style.width = `${(100 * song.spectrogram_s) / song.duration_s}%`;
  $("frequencies").replaceChildren(...song.frequencies.map(({ name, height }) => {
    const tick = element("span", {}, name);
    tick.style.bottom = `${100 * height}%`;
    return tick;
  }));
  $("time-legend").textContent = song.starts_s.length > 1
    ? `Each excerpt is tagged by itself: the fuller the colour, the higher the score${hasThresholds() ? "; a line below marks scores over the threshold" : ""}. Click to play from there.`
    : "The song is one excerpt, so its scores do not change over time. Click to play from there.";
  $("taggram").hidden = song.starts_s.length === 1;
  drawTags();
  fit();
}

// What depends on how wide the page is.
function fit() {
  if (!song) return;
  const width = $("axis").clientWidth;
  $("taggram").classList.toggle("tight", (width * song.excerpt_s) / song.duration_s < CELL_PX);
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

// Where bars and colours end: a round number above all that is shown.
const endOf = (values) => [0.05, 0.1, 0.2, 0.3, 0.5, 0.7].find((end) => end >= Math.max(...values)) ?? 1;

function drawTags() {
  const few = Math.max(NUM_SHOWN, song.tags.filter((tag) => tag.passes).length);
  const tags = all ? song.tags : song.tags.slice(0, few);
  const end = endOf(tags.flatMap((tag) => [tag.score, tag.threshold ?? 0]));
  $("scale").textContent = `0 to ${end}`;
  $("more").hidden = song.tags.length <= few;
  $("more").textContent = all ? `Only ${few} tags` : `All ${song.tags.length} tags`;
  $("more").setAttribute("aria-expanded", String(all));
  $("tags").tBodies[0].replaceChildren(...tags.map((tag) => row(tag, end)));
  drawTaggram(tags, endOf(tags.flatMap((tag) => tag.over_time)));
}

function row(tag, end) {
  const bar = element("i", {});
  bar.style.width = `${(100 * tag.score) / end}%`;
  const meter = element("div", { className: "meter" }, bar);
  if (tag.threshold !== null) {
    const mark = element("b", {});
    mark.style.left = `${(100 * tag.threshold) / end}%`;
    meter.append(mark);
  }
  meter.setAttribute("aria-hidden", "true");
  const spread = tag.deviation === null ? "" : ` ± ${digits(tag.deviation)}`;
  const name = element("th", { scope: "row" }, tag.tag);
  if (tag.passes) name.append(element("span", { className: "hidden" }, " (over its threshold)"));
  const percent = tag.precision === null ? "–" : `${Math.round(100 * tag.precision)} %`;
  return element(
    "tr", { className: tag.passes ? "passes" : "" }, name,
    element("td", { className: "track" }, meter),
    element("td", { className: "score" }, digits(tag.score), element("span", { className: "roomy" }, spread)),
    element("td", { className: "wide" }, tag.threshold === null ? "–" : digits(tag.threshold)),
    element("td", { className: "wide" }, percent)
  );
}

function drawTaggram(tags, end) {
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
    line(element("span", {}, tag.tag), "rowheader", cells((e) => cell(tag, e, end), "cell"))));
}

function cell(tag, e, end) {
  const score = tag.over_time[e];
  const made = element("div", { className: "cell", title: `${tag.tag}, ${clock(song.starts_s[e])}: ${digits(score)}` },
    element("span", {}, score.toFixed(2).replace(/^0/, "")));
  made.style.setProperty("--share", score / end);
  made.classList.toggle("passes", tag.threshold !== null && score >= tag.threshold);
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
