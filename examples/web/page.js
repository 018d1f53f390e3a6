// The page: controls, the two games, the curves. Each agent runs in its own Web Worker (worker.js).
//
// Messages to a worker:
//   begin      make a new agent: id, kind, length, memory, budget (steps), seed; window, 0: that of
//              web_longest in web.c; pixels and actions of the game; showEvery: milliseconds
//              between two steps of the shown game
//   limit      train up to this number of steps, so that both agents take about equally many
//   settings   paused; rate: most steps a second
//   self-test  run rise_self_test
// Messages from a worker:
//   ready      the module is loaded: games
//   begun      window; needed: the frames from the cue to its use (web_needed in web.c)
//   report     steps, updates, speed (updates a second), exploration; points of the curve; the
//              shown game; over: true if training has ended
//   error      a sentence of the library or of web.c; the agent then stops
//   self-test  "" if it passed, else a sentence
//
// Options in the address, after #, joined by &: game=NAME, length=N, window=N, seed=N. With log,
// the page writes each score to the console, for tests/web.sh.
"use strict";

const AHEAD = 250; // most steps that one agent may be ahead of the other
const LONGEST = 60; // greatest length on the slider
const CHOICES = ["corridor", "blink", "key-door", "lock-catch", "open-corridor", "open-blink"];
const AGENTS = [
  { // memory: a value of rise_memory
    memory: 1, name: "NONE", colour: "--none", title: "without memory",
    text: "sees the last four frames",
  },
  {
    memory: 0, name: "RISE", colour: "--rise", title: "with memory",
    text: "also has a recurrent net over past frames",
  },
];
const FONT = "'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif";
const SPEEDS = 40; // the last position of the speed slider: no limit

const $ = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const options = new URLSearchParams(location.hash.slice(1));
const count = (n) => Math.round(n).toLocaleString("en-US");

let games = [];
let game = null;
let budget = 0;
let id = 0; // of the run; reports of earlier runs are ignored
let seed = Number(options.get("seed") || 1);
let paused = false;
let draw = false; // true: drawAll is already requested

// ---------------------------------------------------------------------------------------------
// Agents

const signed = (x) => (x < -0.005 ? "\u2212" : x > 0.005 ? "+" : "") + Math.abs(x).toFixed(2);

function makeAgent(agent) {
  const card = document.createElement("div");
  card.className = "card agent";
  card.style.setProperty("--colour", `var(${agent.colour})`);
  card.innerHTML = `
    <h2><span>${agent.name}</span> ${agent.title}</h2>
    <p class="text">${agent.text}</p>
    <div class="inside">
      <canvas></canvas>
      <div>
        <div class="score"></div>
        <div class="small"></div>
        <div class="small"></div>
        <div class="values"></div>
      </div>
    </div>`;
  $("agents").append(card);
  agent.canvas = card.querySelector("canvas");
  agent.score = card.querySelector(".score");
  [agent.progress, agent.pace] = card.querySelectorAll(".small");
  agent.values = card.querySelector(".values");
  const source = new Blob([$("worker").textContent], { type: "text/javascript" });
  agent.worker = new Worker(URL.createObjectURL(source));
  agent.worker.onmessage = (event) => receive(agent, event.data);
}

function receive(agent, m) {
  if (m.type === "ready") {
    agent.ready = true;
    games = m.games;
    if (AGENTS.every((a) => a.ready)) start();
  }
  if (m.type === "failed") agent.progress.textContent = m.text;
  if (m.type === "self-test") console.log(`self-test: ${m.text === "" ? "passed" : m.text}`);
  if (m.id !== id) return;
  if (m.type === "begun") {
    $("window").value = m.window;
    game.needed = m.needed;
    describe();
  }
  if (m.type === "error") {
    agent.report = null; // else the next drawing replaces the text
    agent.progress.textContent = m.text;
    agent.steps = Infinity;
    for (const other of AGENTS) other.worker.postMessage({ type: "limit", id, steps: Infinity });
    console.log(`${agent.name} error: ${m.text}`);
  }
  if (m.type === "report") {
    agent.report = m;
    agent.steps = m.over ? Infinity : m.steps;
    if (m.shown !== null) agent.shown = m.shown;
    for (const [steps, score] of m.points) {
      agent.points.push([steps, score]);
      if (options.has("log"))
        console.log(`${agent.name} steps ${steps} score ${score} updates/s ${m.speed.toFixed(1)}`);
    }
    const other = AGENTS.find((a) => a !== agent);
    other.worker.postMessage({ type: "limit", id, steps: agent.steps + AHEAD });
  }
  later();
}

// Makes new agents and starts to train them.
function begin(window) {
  const length = game.length === 0 ? 0 : Number($("length").value);
  const longer = game.length === 0 ? 1 : Math.max(1, length / game.length);
  id++;
  // Two thirds of the steps that memory.c takes to compare the agents; more for a longer game.
  budget = Math.round((game.steps * 2 * Math.sqrt(longer)) / 3000) * 1000;
  for (const agent of AGENTS) {
    Object.assign(agent, { points: [], shown: null, report: null, steps: 0 });
    agent.worker.postMessage({
      type: "begin", id, kind: game.kind, length, memory: agent.memory, window, budget, seed,
      pixels: game.width * game.height, actions: game.actions.length,
      showEvery: Math.max(50, Math.min(140, 3500 / (length || 20))),
    });
    agent.worker.postMessage({ type: "limit", id, steps: AHEAD });
    agent.values.innerHTML = game.actions
      .map((name) => `<span>${name}</span><i><u></u></i><em></em>`).join("");
  }
  later();
}

// ---------------------------------------------------------------------------------------------
// Drawing

function later() {
  if (!draw) requestAnimationFrame(() => { draw = false; drawAll(); });
  draw = true;
}

// Sets the size of a canvas to the pixels of the screen. Returns its context and its size in CSS
// pixels.
function prepare(canvas) {
  const box = canvas.getBoundingClientRect(), scale = devicePixelRatio || 1;
  const width = Math.round(box.width * scale), height = Math.round(box.height * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const c = canvas.getContext("2d");
  c.setTransform(scale, 0, 0, scale, 0, 0);
  c.clearRect(0, 0, box.width, box.height);
  return [c, box.width, box.height];
}

function drawGame(agent) {
  const [c, width, height] = prepare(agent.canvas);
  const shown = agent.shown;
  if (shown === null) return;
  const side = Math.floor(Math.min(width / game.width, height / game.height));
  const left = Math.floor((width - side * game.width) / 2);
  const top = Math.floor((height - side * game.height) / 2);
  c.fillStyle = "#0a0a0a";
  c.fillRect(left, top, side * game.width, side * game.height);
  for (let i = 0; i < shown.seen.length; i++) {
    const seen = shown.seen[i], grey = 20 + Math.round((seen * 235) / 255);
    const x = i % game.width, y = Math.floor(i / game.width);
    c.fillStyle = seen === shown.real[i] ? `rgb(${grey},${grey},${grey})` : css("--amber");
    c.fillRect(left + x * side, top + y * side, side - 1, side - 1);
  }
  if (shown.end === 0) return;
  c.fillStyle = shown.end > 0 ? "#2f9e5b" : "#c0392b";
  c.fillRect(left, top, side * game.width, 24);
  c.fillStyle = "#fff";
  c.font = `600 14px ${FONT}`;
  c.textAlign = "center";
  c.fillText(shown.end > 0 ? "right" : "wrong", width / 2, top + 17);
}

function drawAgent(agent) {
  const last = agent.points[agent.points.length - 1], r = agent.report;
  drawGame(agent);
  agent.score.textContent = last ? signed(last[1]) : "\u2013";
  if (r !== null) {
    agent.progress.textContent = `score after ${count(r.steps)} of ${count(budget)} steps`;
    agent.pace.textContent = r.over ? `trained with ${count(r.updates)} updates`
      : r.updates === 0 ? "random actions until step 1,000"
      : `${count(r.speed)} updates/s, ${Math.round(100 * r.exploration)}% random actions`;
  }
  if (agent.shown === null) return;
  agent.shown.values.forEach((value, i) => {
    const [name, bar, number] = Array.from(agent.values.children).slice(3 * i, 3 * i + 3);
    const at = Math.max(-1, Math.min(1, value));
    for (const part of [name, bar, number])
      part.classList.toggle("chosen", i === agent.shown.action);
    bar.firstChild.style.left = `${50 + 50 * Math.min(at, 0)}%`;
    bar.firstChild.style.width = `${50 * Math.abs(at)}%`;
    number.textContent = signed(value);
  });
}

function drawChart() {
  const [c, width, height] = prepare($("chart"));
  const left = 44, right = width - 74, top = 22, bottom = height - 34;
  const x = (steps) => left + ((right - left) * steps) / budget;
  const y = (score) => bottom - ((bottom - top) * (score + 1.06)) / 2.12;
  const quiet = css("--quiet"), line = css("--line");
  const write = (text, at, to, align, colour) => {
    c.fillStyle = colour;
    c.textAlign = align;
    c.fillText(text, at, to);
  };
  c.font = `12px ${FONT}`;
  c.lineWidth = 1;
  for (const score of [-1, -0.5, 0, 0.5, 1]) {
    c.strokeStyle = line;
    c.beginPath();
    c.moveTo(left, Math.round(y(score)) + 0.5);
    c.lineTo(right, Math.round(y(score)) + 0.5);
    c.stroke();
    const text = score === 0 ? "0" : score.toFixed(1).replace("-", "\u2212");
    write(text, left - 8, y(score) + 4, "right", quiet);
  }
  for (let part = 0; part <= 4; part++) {
    const steps = (budget * part) / 4;
    const text = part === 4 ? `${count(steps)} steps` : count(steps);
    write(text, x(steps), bottom + 19, "center", quiet);
  }
  write("score", left - 8, top - 9, "right", quiet);
  c.setLineDash([5, 5]);
  c.strokeStyle = quiet;
  const levels = [[game.best, "best possible"]];
  if (game.without < game.best) levels.push([game.without, "best possible without memory"]);
  for (const [score, name] of levels) {
    c.beginPath();
    c.moveTo(left, y(score));
    c.lineTo(right, y(score));
    c.stroke();
    write(name, right, y(score) - 6, "right", quiet);
  }
  c.setLineDash([]);
  c.lineJoin = "round";
  const ends = AGENTS.map((a) => y(a.points.length > 0 ? a.points[a.points.length - 1][1] : 0));
  const close = Math.abs(ends[0] - ends[1]) < 14; // then the names would overlap
  for (const agent of AGENTS) {
    if (agent.points.length === 0) continue;
    c.strokeStyle = css(agent.colour);
    c.lineWidth = 2.5;
    c.beginPath();
    for (const [steps, score] of agent.points) c.lineTo(x(steps), y(Math.max(-1.05, score)));
    c.stroke();
    const [steps, score] = agent.points[agent.points.length - 1];
    c.beginPath();
    c.arc(x(steps), y(score), 4, 0, 7);
    c.fillStyle = css(agent.colour);
    c.fill();
    c.font = `700 13px ${FONT}`;
    const off = !close ? 5 : (agent === AGENTS[0]) === ends[0] < ends[1] ? -3 : 14;
    write(agent.name, x(steps) + 9, y(score) + off, "left", css(agent.colour));
  }
}

function drawAll() {
  if (game === null) return;
  AGENTS.forEach(drawAgent);
  drawChart();
}

// ---------------------------------------------------------------------------------------------
// Controls

// Writes the values of the sliders beside their names, and the rules of the game.
function describe() {
  const window = Number($("window").value), needed = game.needed, speed = Number($("speed").value);
  $("length-text").textContent = game.length === 0 ? "fixed" : `${$("length").value} steps`;
  $("window-text").textContent = `${window} frames`;
  $("speed-text").textContent = speed === SPEEDS ? "full" : `${count(rate())} steps/s`;
  $("rules").textContent = game.text;
  if (!game.open && needed !== undefined && window < needed) {
    const warning = document.createElement("span");
    warning.id = "warning";
    const why = `there are ${needed} frames from the cue to its use`;
    warning.textContent = ` The window is too short: ${why}.`;
    $("rules").append(warning);
  }
}

const rate = () => {
  const speed = Number($("speed").value);
  return speed === SPEEDS ? 1e6 : 20 * Math.pow(1.15, speed); // 20 to 4,700 steps a second
};

function sendSettings() {
  for (const agent of AGENTS)
    agent.worker.postMessage({ type: "settings", settings: { paused, rate: rate() } });
  $("pause").textContent = paused ? "Go on" : "Pause";
  if (game !== null) describe();
}

// Chooses a game. Its lengths go on the slider.
function choose(name) {
  game = games.find((g) => g.name === name) || games.find((g) => g.name === "corridor");
  $("game").value = game.name;
  $("length").disabled = game.length === 0;
  Object.assign($("length"), { min: game.least, max: Math.min(game.most, LONGEST) });
  $("length").value = game.length;
  game.needed = undefined;
}

function start() {
  for (const name of CHOICES) $("game").add(new Option(name, name));
  choose(options.get("game"));
  if (options.has("length")) $("length").value = options.get("length");
  if (options.has("log")) AGENTS[0].worker.postMessage({ type: "self-test" });
  sendSettings();
  begin(Number(options.get("window") || 0));
}

$("game").onchange = () => { choose($("game").value); begin(0); };
$("length").oninput = () => { $("length-text").textContent = `${$("length").value} steps`; };
$("length").onchange = () => begin(0);
$("window").oninput = describe;
$("window").onchange = () => begin(Number($("window").value));
$("speed").oninput = sendSettings;
$("pause").onclick = () => { paused = !paused; sendSettings(); };
$("restart").onclick = () => { seed++; begin(Number($("window").value)); };
window.onresize = later;

AGENTS.forEach(makeAgent);
