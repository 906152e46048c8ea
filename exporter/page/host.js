// The page of `lockwarden serve`: asks api/v1/processes every two seconds. Text goes into the page
// as text only.
"use strict";

const byId = (id) => document.getElementById(id);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function stateOf(it) {
  if (!it.answers) return ["warn", "its supervisor does not answer"];
  if (it.not_answering === "deadlocked") return ["bad", "deadlocked"];
  if (it.not_answering === "stalled") return ["bad", "stalled"];
  if (it.not_answering) return ["warn", it.not_answering];
  return it.recorded ? ["good", "well"] : ["warn", "not recorded"];
}

function row(it) {
  const [style, state] = stateOf(it);
  return element("li", {}, element("div", { class: "title" },
    element("a", { class: "name", href: it.path }, it.process + (it.slot ? ` (${it.slot})` : "")),
    element("span", { class: `chip ${style}` }, state)),
  element("p", { class: "quiet" }, [
    `${it.threads_total ?? 0} threads`, `${it.deadlocks_total ?? 0} deadlocks so far`,
    `${it.potential_deadlocks ?? 0} that could happen`, `${it.restarts_total ?? 0} restarts`,
  ].join(" · ")));
}

async function update() {
  try {
    const answer = await fetch("api/v1/processes", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const { processes } = await answer.json();
    const bad = processes.filter((it) => stateOf(it)[0] === "bad").length;
    byId("banner").className = `banner ${bad ? "bad" : processes.length ? "good" : "calm"}`;
    byId("verdict").textContent = bad ? `${bad} of ${processes.length} will not go on by themselves`
      : processes.length ? "No deadlock, no stall" : "Nothing is supervised here";
    byId("processes").replaceChildren(...processes.map(row));
    byId("updated").textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch {
    byId("banner").className = "banner warn";
    byId("verdict").textContent = "No answer from Lockwarden; below is what it said last";
  }
  setTimeout(update, 2000);
}

update();
