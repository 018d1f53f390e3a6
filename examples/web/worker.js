// Runs one agent in a Web Worker. Trains in slices of a few milliseconds and reads the messages of
// the page between slices. page.js lists the messages.
"use strict";

const SLICE = 15; // milliseconds of training between two checks for messages
const REPORT = 50; // milliseconds between two reports to the page
const EVALUATE = 500; // steps between two evaluations

let rise = null; // the WebAssembly module
let run = null; // the run in progress; null before the first "begin"
const settings = { paused: false, rate: 1e6 }; // rate: most steps a second

const text = (address) => rise.UTF8ToString(address);

function begin(m) {
  const window = m.window || rise._web_longest(m.kind, m.length);
  const error = text(rise._web_begin(m.kind, m.length, m.memory, window, m.budget, m.seed));
  run = {
    id: m.id, budget: m.budget, showEvery: m.showEvery, pixels: m.pixels, actions: m.actions,
    // The agent trains while steps < limit (set by the page) and steps <= allowed (by the speed).
    steps: 0, limit: 0, allowed: 0, evaluateAt: 0, failed: false,
    busy: 0, updates: 0, speed: 0, // busy: milliseconds of training since the last measurement
    reportAt: 0, showAt: 0, shownEnd: 0, last: performance.now(), points: [], shown: null,
  };
  postMessage({ type: "begun", id: m.id, window, needed: rise._web_needed(m.kind, m.length) });
  if (error !== "") fail(error);
}

function fail(error) {
  run.failed = true;
  postMessage({ type: "error", id: run.id, text: error });
}

// Trains until the slice is over or the agent may take no more steps. Returns whether the agent has
// trained: then the next slice follows at once.
function train(now) {
  const most = Math.min(run.limit, run.budget);
  const end = now + SLICE;
  if (run.steps >= most || run.steps > run.allowed) return false;
  while (run.steps < most && run.steps <= run.allowed && performance.now() < end) {
    const steps = rise._web_train(1);
    if (steps < 0) {
      fail(text(rise._web_error()));
      return false;
    }
    run.steps = steps;
    if (steps >= run.evaluateAt || steps >= run.budget) {
      run.busy += performance.now() - now;
      run.points.push([steps, rise._web_score()]);
      run.evaluateAt = steps + EVALUATE;
      now = performance.now(); // evaluations do not count as training
    }
  }
  run.busy += performance.now() - now;
  return true;
}

// Plays a step of the shown episode. The end of an episode stays visible for eight steps.
function show() {
  if (run.shownEnd > 1) {
    run.shownEnd--;
    return;
  }
  const end = rise._web_show();
  const bytes = (address, count) => rise.HEAPU8.slice(address, address + count);
  const values = rise._web_values() / 4;
  run.shownEnd = end !== 0 ? 8 : 0;
  run.shown = {
    end, action: rise._web_action(),
    seen: bytes(rise._web_seen(), run.pixels), real: bytes(rise._web_real(), run.pixels),
    values: Array.from(rise.HEAPF32.subarray(values, values + run.actions)),
  };
}

function report(now) {
  const updates = rise._web_updates();
  if (updates > run.updates && run.busy > 200) { // updates a second of training
    run.speed = (1000 * (updates - run.updates)) / run.busy;
    run.updates = updates;
    run.busy = 0;
  }
  postMessage({
    type: "report", id: run.id, steps: run.steps, updates, speed: run.speed,
    exploration: rise._web_exploration(), points: run.points, shown: run.shown,
    over: run.steps >= run.budget,
  });
  run.points = [];
  run.shown = null;
  run.reportAt = now + REPORT;
}

function slice() {
  let worked = false;
  if (run !== null && !settings.paused) {
    const now = performance.now();
    // After a pause or a slow slice, at most a fifth of a second is made up for.
    const passed = Math.min(now - run.last, 200) / 1000;
    run.allowed = Math.min(run.allowed + settings.rate * passed, run.steps + settings.rate / 5);
    run.last = now;
    if (!run.failed) worked = train(now);
    if (!run.failed && now >= run.showAt) {
      show();
      run.showAt = Math.max(run.showAt + run.showEvery, now);
    }
    if (!run.failed && now >= run.reportAt) report(now);
  }
  // A message of the worker to itself arrives at once. Browsers delay setTimeout by 4 ms.
  if (worked) again.port2.postMessage(null);
  else setTimeout(slice, 10);
}
const again = new MessageChannel();
again.port1.onmessage = slice;

onmessage = (event) => {
  const m = event.data;
  if (m.type === "begin") begin(m);
  else if (m.type === "limit" && run !== null && m.id === run.id) run.limit = m.steps;
  else if (m.type === "settings") Object.assign(settings, m.settings);
  else if (m.type === "self-test")
    postMessage({ type: "self-test", text: text(rise._web_self_test()) });
};

createRise().then((module) => {
  const games = [];
  rise = module;
  for (let kind = 0; kind < rise._web_games(); kind++)
    games.push({ kind, ...JSON.parse(text(rise._web_game(kind))) });
  postMessage({ type: "ready", games });
  slice();
}).catch((why) => {
  // for example, a browser without SIMD for WebAssembly
  postMessage({ type: "failed", text: `The library does not start here: ${why}` });
});
