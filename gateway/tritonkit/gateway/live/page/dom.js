// Elements from names, properties and children. What a server says only ever becomes text.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null) node.append(child);
  }
  return node;
}

export function el(name, properties = {}, ...children) {
  return filled(document.createElement(name), properties, children);
}

export function svg(name, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, name), properties, children);
}

export function by(id) {
  return document.getElementById(id);
}

// Text that is set only where it differs: a screen reader need not look again.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

const written = new WeakMap();

// A bar from 0 to 1; its value stands as text beside it.
export function bar(share, kind = "") {
  const inner = el("div", { class: `fill ${kind}` });
  inner.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return el("div", { class: "meter", "aria-hidden": "true" }, inner);
}

function write(cell, content) {
  const { text = "", kind = "", sign = "", share, title, note } =
    typeof content === "string" ? { text: content } : content;
  const key = JSON.stringify([text, kind, sign, share, title, note]);
  if (written.get(cell) === key) return;
  written.set(cell, key);
  cell.className = kind;
  if (title) cell.title = title;
  else cell.removeAttribute("title");
  if (share !== undefined) cell.replaceChildren(bar(share, sign));
  else if (sign) {
    cell.replaceChildren(el("span", { class: `sign ${sign}`, "aria-hidden": "true" }), text);
  } else cell.replaceChildren(text);
  if (note) cell.append(el("small", {}, note));
}

// Rows of a table, in place. A row is a list of cells: a text, or {text, kind, sign, share,
// title, note}; its first cell is its header. Without rows what stands beside the table is
// shown instead.
export function fill(table, rows) {
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, number) => {
    const row = body.rows[number] ?? body.insertRow();
    while (row.cells.length > cells.length) row.deleteCell(-1);
    cells.forEach((content, place) => {
      const name = place ? "td" : "th";
      const cell = row.cells[place] ?? row.appendChild(el(name, place ? {} : { scope: "row" }));
      write(cell, content);
    });
  });
  empty(table, rows.length === 0);
}

export function empty(part, nothing) {
  const panel = part.closest(".panel");
  const inner = part.closest(".scroll") ?? part;
  show(inner, !nothing);
  const note = panel.querySelector(":scope > .empty");
  if (note) show(note, nothing);
}
