// The status page: asks api/v1/status once a second and shows what it says. Text goes into the
// page as text only, whatever the program called its threads and locks.
"use strict";

const EVERY_MS = 1000;
let last = null;       // the last status
let failedSince = 0;   // ms; 0: the last request was answered
let shown = "";        // what the parts were last made of

const byId = (id) => document.getElementById(id);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function duration(seconds) {
  if (seconds < 0.0000005) return "0 s";
  if (seconds < 0.001) return `${(seconds * 1e6).toPrecision(3)} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

const age = (since) => since ? duration(Math.max(0, last.time - since)) : "";
const count = (number) => number.toLocaleString("en");
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
const lockName = (index) => {
  const lock = last.locks[index];
  return lock.class ? `${lock.label} (${lock.class})` : lock.label;
};

function verdict() {
  const unanswered = "The process is not answering; this is its ledger";
  if (last.not_answering === "deadlocked") {
    return ["bad", plural(last.deadlock_cycles, "deadlock"),
      `${plural(last.deadlocked_threads, "thread")} will never run again. ${unanswered}.`];
  }
  if (last.not_answering === "stalled") {
    return ["bad", "Stalled", `Heartbeats stay away. ${unanswered}.`];
  }
  if (last.not_answering === "stopped") {
    return ["warn", "Stopped by a signal", `${unanswered}, as it stood then.`];
  }
  if (last.not_answering === "not running") {
    return ["warn", "Not running", "The program has ended, or is between two lives."];
  }
  if (!last.recorded) return ["warn", "Not recorded", "The program's locks cannot be seen."];
  return ["good", "No deadlock", `checked ${clock(last.checked)}`];
}

function showBanner() {
  const [style, title, detail] = verdict();
  const stale = failedSince ? Math.round((Date.now() - failedSince) / 1000) : 0;
  byId("banner").className = "banner " + (failedSince ? "warn" : style);
  byId("verdict").textContent = failedSince ? "No answer from Lockwarden" : title;
  byId("detail").textContent = failedSince
    ? `for ${stale} s; below is what it said last: ${title}` : detail;
  byId("updated").textContent = `as of ${clock(last.time || last.checked)}`;
  document.title = (style === "bad" ? "● " : "") + (last.program || "Lockwarden") + " · Lockwarden";
}

function showTiles() {
  const waiting = last.threads.filter((thread) => thread.waits && thread.waits.mode !== "signal").length;
  const tiles = [
    ["deadlocks so far", last.deadlocks_total, "alarm"],
    ["threads wait for locks", waiting, ""],
    ["threads", last.threads_total, ""],
    ["locks", last.locks_tracked, ""],
    ["deadlocks that could happen", last.potential_deadlocks, "care"],
    ["restarts", last.restarts_total, "care"],
  ];
  if (last.dropped_records) tiles.push(["records dropped", last.dropped_records, "care"]);
  byId("tiles").replaceChildren(...tiles.map(([label, value, style]) =>
    element("div", { class: value ? style : "" },
      element("dt", {}, label), element("dd", {}, count(value)))));
}

function threadRow(thread) {
  const chip = thread.deadlocked ? element("span", { class: "chip bad" }, "deadlocked")
    : thread.waits ? element("span", { class: "chip warn" }, "waits")
      : element("span", { class: "chip good" }, "runs");
  const row = element("li", {}, element("div", { class: "title" },
    element("span", { class: "name" }, thread.name || "thread"), chip,
    element("span", { class: "quiet" }, `tid ${thread.tid}`)));
  if (thread.waits) {
    const waits = thread.waits;
    const what = waits.lock !== undefined ? lockName(waits.lock)
      : waits.joins ? `the end of thread ${waits.joins}` : "the end of a thread";
    row.append(element("p", {}, `waits for ${what} `,
      element("span", { class: "quiet" }, [
        waits.since ? `for ${age(waits.since)}` : "", waits.mode === "exclusive" ? "" : waits.mode,
        waits.timed ? "with a time limit" : "", waits.where ? `at ${waits.where}` : "",
      ].filter(Boolean).join(", "))));
  }
  for (const hold of thread.holds) {
    row.append(element("p", {}, `holds ${lockName(hold.lock)} `,
      element("span", { class: "quiet" }, [
        hold.since ? `for ${age(hold.since)} or longer` : "",
        hold.mode === "exclusive" ? "" : hold.mode, hold.where ? `taken at ${hold.where}` : "",
      ].filter(Boolean).join(", "))));
  }
  return row;
}

function heartbeatRow(it) {
  const since = last.checked - it.last;
  const [style, state] = it.paused ? ["calm", "paused"] : !it.last ? ["calm", "ended"]
    : since > it.deadline ? ["bad", "stays away"] : ["good", "beats"];
  return element("li", {}, element("div", { class: "title" },
    element("span", { class: "name" }, it.name), element("span", { class: `chip ${style}` }, state),
    element("span", { class: "quiet" }, [
      it.last ? `last beat ${duration(Math.max(0, since))} ago, due within ${duration(it.deadline)}` : "",
      it.missed ? `missed ${it.missed} times` : "", it.late ? `late ${it.late} times` : "",
    ].filter(Boolean).join(", "))));
}

function classRow(it, longest) {
  const share = it.acquisitions ? it.contentions / it.acquisitions : 0;
  const bar = element("span", { class: `bar w${longest ? Math.round(10 * it.wait_seconds / longest) : 0}` });
  return element("tr", {},
    element("td", {}, it.class, bar),
    element("td", { class: "number" }, count(it.acquisitions)),
    element("td", { class: "number" },
      share === 0 ? "0 %" : share < 0.001 ? "< 0.1 %" : `${(share * 100).toFixed(1)} %`),
    element("td", { class: "number" }, duration(it.wait_seconds)),
    element("td", { class: "number" }, it.hold_seconds ? "≈ " + duration(it.hold_seconds) : "–"),
    element("td", { class: "number" }, it.waiters
      ? `${it.waiters}, up to ${age(it.oldest_wait)}` : "–"));
}

function showLists() {
  byId("program").textContent = last.program || "(no program)";
  byId("version").textContent = "Lockwarden " + last.version;
  const more = drawGraph(byId("graph"), last, age);
  byId("graph-more").textContent = more > 0 ? `· ${more} more are not drawn` : "";
  document.querySelector(".legend").hidden = more < 0;
  if (more < 0) {
    byId("graph").replaceChildren(element("p", { class: "empty" }, "Nobody waits for a lock."));
  }
  byId("threads").replaceChildren(...last.threads.map(threadRow));
  const quiet = last.threads_total - last.threads.length;
  byId("threads-count").textContent = "that hold or wait for something" +
    (last.threads_left_out ? `; ${plural(last.threads_left_out, "such thread")} not shown`
      : quiet > 0 ? `; ${count(quiet)} other${quiet === 1 ? " does" : "s do"} neither` : "");
  if (last.threads.length === 0) {
    byId("threads").append(element("li", { class: "empty" }, "None now."));
  }
  const classes = last.classes.filter((it) => it.acquisitions || it.waiters || it.hold_seconds)
    .sort((a, b) => b.wait_seconds - a.wait_seconds || b.acquisitions - a.acquisitions);
  const longest = Math.max(0, ...classes.map((it) => it.wait_seconds));
  byId("classes").replaceChildren(...classes.map((it) => classRow(it, longest)));
  byId("heartbeats-section").hidden = last.heartbeats.length === 0;
  byId("heartbeats").replaceChildren(...last.heartbeats.map(heartbeatRow));
  byId("incidents").replaceChildren(...last.incidents.map((it) => element("li", {},
    element("div", { class: "title" },
      element("a", { class: "name", href: `incidents/${it.number}` }, it.headline),
      element("span", { class: "chip " + (it.kind.endsWith("deadlock") && it.kind !== "potential_deadlock"
        ? "bad" : "warn") }, it.confidence)),
    element("p", { class: "quiet" },
      `${it.kind.replaceAll("_", " ")} · ${it.program} (pid ${it.pid}) · ${new Date(it.time * 1000).toLocaleString()}`))));
  if (last.incidents.length === 0) {
    byId("incidents").append(element("li", { class: "empty" }, "None in this run."));
  }
}

function show() {
  showBanner();
  const now = JSON.stringify(last) + innerWidth;
  if (now === shown) return;
  shown = now;
  showTiles();
  showLists();
}

async function update() {
  try {
    const answer = await fetch("api/v1/status", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.statusText);
    last = await answer.json();
    failedSince = 0;
  } catch {
    failedSince ||= Date.now();
  }
  if (last) show();
  else byId("verdict").textContent = "No answer from Lockwarden";
  setTimeout(update, EVERY_MS);
}

addEventListener("resize", () => last && show());
update();
