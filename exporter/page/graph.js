// The wait-for graph: which threads and locks belong in it, where each stands, and the drawing.
// A cycle is drawn as a ring, with those that wait behind it outside; what leads to a thread
// that runs is drawn as a tree, from left to right. Uses nothing but the DOM.
"use strict";

const NODE = { width: 150, height: 46, gapX: 40, gapY: 18 };
const MOST_NODES = 64;
const RAIL = 28;  // beside a column of waiters, for their lines to go up

// Nodes and edges of what somebody waits for. An edge leads from a waiting thread to the lock,
// and from the lock to the threads that hold it.
function waitForGraph(status) {
  const nodes = new Map();
  const node = (key, fields) => {
    if (!nodes.has(key)) nodes.set(key, { key, out: [], into: [], ...fields });
    return nodes.get(key);
  };
  const edge = (from, to) => {
    if (from.out.includes(to)) return;
    from.out.push(to);
    to.into.push(from);
  };
  const threadNode = (index) => node("t" + index, { thread: status.threads[index] });
  const lockNode = (index) => node("l" + index, { lock: status.locks[index] });
  const wanted = new Set();
  status.threads.forEach((thread, index) => {
    if (!thread.waits) return;
    if (thread.waits.lock !== undefined) {
      // An idle worker that nobody waits for is no news.
      if (thread.waits.mode === "signal" && thread.holds.length === 0) return;
      wanted.add(thread.waits.lock);
      edge(threadNode(index), lockNode(thread.waits.lock));
    } else if (thread.waits.joins) {
      const joined = status.threads.findIndex(
        (other) => other.pid === thread.pid && other.tid === thread.waits.joins);
      if (joined >= 0) edge(threadNode(index), threadNode(joined));
    }
  });
  status.threads.forEach((thread, index) => {
    for (const hold of thread.holds) {
      if (wanted.has(hold.lock)) edge(lockNode(hold.lock), threadNode(index));
    }
  });
  return [...nodes.values()];
}

// Tarjan's strongly connected components: those of more than one node, or with an edge to
// themselves, are cycles.
function markCycles(nodes) {
  let counter = 0;
  const stack = [];
  const visit = (node) => {
    node.index = node.low = counter++;
    node.onStack = true;
    stack.push(node);
    for (const next of node.out) {
      if (next.index === undefined) visit(next);
      if (next.onStack) node.low = Math.min(node.low, next.low);
    }
    if (node.low !== node.index) return;
    const members = stack.splice(stack.indexOf(node));
    for (const member of members) member.onStack = false;
    if (members.length > 1 || node.out.includes(node)) {
      for (const member of members) member.cycle = members;
    }
  };
  for (const node of nodes) if (node.index === undefined) visit(node);
}

// The members of a cycle in the order of their edges.
function ringOf(members) {
  const ring = [];
  for (let at = members[0]; at && !ring.includes(at);) {
    ring.push(at);
    at = at.out.find((next) => next.cycle === members && !ring.includes(next));
  }
  return ring.concat(members.filter((member) => !ring.includes(member)));
}

// Places the ones that wait for `root`, and who waits behind them, `step` further to the left.
// Returns the height that they need.
function placeTree(root, x, y, step, placed) {
  const behind = root.into.filter((node) => !placed.has(node));
  for (const node of behind) placed.add(node);
  // Without a step to the left they stand below.
  const own = NODE.height + NODE.gapY;
  let height = step === 0 ? own : 0;
  for (const node of behind) {
    height += placeTree(node, x + step, y + height, step, placed);
  }
  height = Math.max(height, own);
  root.x = x;
  root.y = step === 0 ? y : y + (height - own) / 2;
  return height;
}

// Gives each node x and y (its middle); returns the size of the whole.
function placeNodes(nodes, width) {
  markCycles(nodes);
  const placed = new Set();
  const narrow = width < 560;
  const columns = narrow ? 2 : Math.max(2, Math.floor(width / (NODE.width + NODE.gapX)));
  const step = -(NODE.width + NODE.gapX);
  let top = 0, right = 0;
  const shift = (group, toTop) => {
    const left = Math.min(...group.map((node) => node.x)) - NODE.width / 2;
    const high = Math.min(...group.map((node) => node.y)) - NODE.height / 2;
    for (const node of group) {
      node.x -= left;
      node.y += toTop - high;
    }
    right = Math.max(right, ...group.map((node) => node.x + NODE.width / 2));
    return Math.max(...group.map((node) => node.y)) + NODE.height / 2 + NODE.gapY * 1.5;
  };
  const roots = [...new Set(nodes.filter((node) => node.cycle).map((node) => node.cycle))];
  for (const members of roots) {
    const ring = ringOf(members);
    for (const node of ring) placed.add(node);
    const count = ring.length;
    // Far enough apart for the boxes not to touch, and no wider than there is room for.
    const across = narrow
      ? Math.max(0, Math.min(width - NODE.width - 14, 330)) / 2
      : Math.max(150, count * 42);
    const down = Math.max(narrow ? 105 : 92, count * (narrow ? 26 : 20));
    ring.forEach((node, i) => {
      const angle = Math.PI * 2 * i / count + (narrow ? -Math.PI / 2 : Math.PI);
      node.x = Math.cos(angle) * across;
      node.y = Math.sin(angle) * down;
    });
    // Those behind: in columns beside the ring, the nearest waiters first.
    const group = [...ring];
    let height = -down;
    const left = -across + step;
    for (const node of ring) {
      for (const waiter of node.into.filter((other) => !placed.has(other))) {
        placed.add(waiter);
        const before = new Set(placed);
        // Where there is no room beside it they stand below, under the one they wait for.
        const side = node.x < -1 ? -1 : 1;
        const used = narrow
          ? placeTree(waiter, node.x - side * RAIL, 2 * down + NODE.height + NODE.gapY * 1.5 + height, 0,
            placed)
          : placeTree(waiter, left, height, step, placed);
        height += used;
        if (narrow) waiter.below = side;
        group.push(waiter, ...[...placed].filter((other) => !before.has(other)));
      }
    }
    top = shift(group, top);
  }
  // Trees: their roots are threads that run, or locks that nobody is known to hold.
  for (const root of nodes) {
    if (placed.has(root) || root.out.length !== 0) continue;
    placed.add(root);
    const before = new Set(placed);
    placeTree(root, 0, 0, narrow ? -(NODE.width + 22) : step, placed);
    top = shift([root, ...[...placed].filter((other) => !before.has(other))], top);
  }
  return { width: Math.max(right, NODE.width), height: Math.max(top - NODE.gapY * 1.5, NODE.height),
    columns };
}

function svg(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function cut(text, length) {
  return text.length > length ? text.slice(0, length - 1) + "…" : text;
}

// Where the line from the middle of a node towards (x, y) leaves its box.
function border(node, x, y, gap) {
  const dx = x - node.x, dy = y - node.y;
  const scale = Math.min(
    dx === 0 ? Infinity : (NODE.width / 2 + gap) / Math.abs(dx),
    dy === 0 ? Infinity : (NODE.height / 2 + gap) / Math.abs(dy));
  return [node.x + dx * scale, node.y + dy * scale];
}

function drawEdge(from, to) {
  const inCycle = from.cycle !== undefined && from.cycle === to.cycle;
  const both = to.out.includes(from);
  // Two edges between the same nodes bend apart.
  const dx = to.x - from.x, dy = to.y - from.y;
  const kind = (from.thread ? "waits" : "holds") + (inCycle ? " cycle" : "");
  if (from.below) {
    const rail = to.x + from.below * (NODE.width / 2 - 14), end = to.y + NODE.height / 2 + 2;
    return [
      svg("path", { class: "edge " + kind,
        d: `M${from.x + from.below * NODE.width / 2} ${from.y} H${rail} V${end + 8}` }),
      svg("polygon", { class: "head",
        points: `${rail},${end} ${rail - 4.5},${end + 9} ${rail + 4.5},${end + 9}` }),
    ];
  }
  const length = Math.hypot(dx, dy) || 1;
  const bend = both ? 28 : 0;
  const mx = (from.x + to.x) / 2 - dy / length * bend, my = (from.y + to.y) / 2 + dx / length * bend;
  const [x1, y1] = border(from, mx, my, 1);
  const [x2, y2] = border(to, mx, my, 9);
  const angle = Math.atan2(y2 - my, x2 - mx);
  const tip = border(to, mx, my, 2);
  const side = (turn) => [tip[0] - 10 * Math.cos(angle + turn), tip[1] - 10 * Math.sin(angle + turn)];
  return [
    svg("path", { class: "edge " + kind, d: `M${x1} ${y1} Q${mx} ${my} ${x2} ${y2}` }),
    svg("polygon", { class: inCycle ? "head cycle" : "head",
      points: [tip, side(.45), side(-.45)].map((point) => point.join(",")).join(" ") }),
  ];
}

function drawNode(node, age) {
  const state = node.cycle !== undefined ? " stuck" : node.thread && node.thread.deadlocked ? " behind" : "";
  const group = svg("g", { class: `node ${node.thread ? "thread" : "lock"}${state}` });
  let name, small, whole;
  if (node.thread) {
    const waits = node.thread.waits;
    name = node.thread.name || "thread";
    small = waits ? `${waits.mode === "join" ? "joins" : "waits"} ${age(waits.since)}` : "runs";
    whole = `thread ${name}, tid ${node.thread.tid}, ${small}`;
  } else {
    name = node.lock.label;
    small = node.lock.class || node.lock.kind;
    whole = `${name}, ${small}`;
  }
  group.append(
    svg("title", {}, whole),
    svg("rect", { x: node.x - NODE.width / 2, y: node.y - NODE.height / 2, width: NODE.width,
      height: NODE.height, rx: node.thread ? 8 : NODE.height / 2 }),
    svg("text", { class: "name", x: node.x, y: node.y - 3 }, cut(name, node.thread ? 19 : 17)),
    svg("text", { class: "small", x: node.x, y: node.y + 13 }, cut(small, 23)));
  return group;
}

// Draws into `place`. Returns how many nodes did not fit; -1: there is nothing to draw.
function drawGraph(place, status, age) {
  let nodes = waitForGraph(status);
  if (nodes.length === 0) {
    place.replaceChildren();
    return -1;
  }
  const all = nodes.length;
  if (all > MOST_NODES) {
    // Cycles first: they are why one looks.
    markCycles(nodes);
    const kept = new Set([...nodes.filter((node) => node.cycle), ...nodes].slice(0, MOST_NODES));
    nodes = nodes.filter((node) => kept.has(node));
    for (const node of nodes) {
      node.out = node.out.filter((other) => kept.has(other));
      node.into = node.into.filter((other) => kept.has(other));
      delete node.index;
      delete node.cycle;
    }
  }
  const size = placeNodes(nodes, place.clientWidth);
  const picture = svg("svg", { role: "img", "aria-label": "Threads and the locks they wait for",
    width: size.width + 8, height: size.height + 8,
    viewBox: `-4 -4 ${size.width + 8} ${size.height + 8}` });
  for (const node of nodes) for (const next of node.out) picture.append(...drawEdge(node, next));
  for (const node of nodes) picture.append(drawNode(node, age));
  place.replaceChildren(picture);
  return all - nodes.length;
}
