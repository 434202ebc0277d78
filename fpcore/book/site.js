// Search of the browsable book: every word, or another for the same thing, must occur in a section;
// Japanese needs no word breaks. Arrow keys move in the hits.
"use strict";
const plain = (text) => text.normalize("NFKC").toLowerCase();
const field = document.getElementById("search");
const hits = document.getElementById("hits");
const MOST = 30;
let index = null;

// The index is loaded once, when somebody searches: it is as large as all pages together.
function loaded() {
  index ??= new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = `${document.documentElement.dataset.root}search-index.js`;
    script.onload = () => {
      document.fonts.add(new FontFace("Book Gothic", `url(${BOOK.font})`));
      resolve();
    };
    document.head.append(script);
  });
  return index;
}

// The words of a query: each with what else means the same. "effective rank" is one word if the
// book knows it as one.
function terms(query) {
  const words = query.split(/\s+/).filter(Boolean);
  const found = [];
  while (words.length) {
    let taken = words.length;
    let same = [];
    for (; taken > 0; taken--) {
      const word = words.slice(0, taken).join(" ");
      same = BOOK.aliases.filter((group) => group.includes(word)).flat();
      if (same.length || taken === 1) break;
    }
    const word = words.splice(0, taken).join(" ");
    found.push([new RegExp(escaped(word)), ...same.filter((other) => other !== word).map(whole)]);
  }
  return found;
}

const escaped = (word) => word.replace(/[.*+?^${}()|[\]\\\/-]/g, "\\$&");

// Another word for the same thing counts as a whole word alone: ER is no part of "number".
function whole(word) {
  const [before, after] = [/^[a-z0-9]/.test(word) ? "(?<![a-z0-9_])" : "", /[a-z0-9]$/.test(word) ? "(?![a-z0-9_])" : ""];
  return new RegExp(before + escaped(word) + after);
}

// The first place in a text where a term, in any of its words, occurs: [at, length] or null.
function place(term, text) {
  const found = term.map((word) => word.exec(text)).filter(Boolean);
  if (!found.length) return null;
  const first = found.reduce((a, b) => (b.index < a.index ? b : a));
  return [first.index, first[0].length];
}

function find(words) {
  const found = [];
  for (const [page, anchor, heading, text] of BOOK.sections) {
    const [path, title] = BOOK.pages[page];
    const [head, body] = [plain(`${title} ${heading}`), plain(text)];
    if (!words.every((word) => place(word, head) || place(word, body))) continue;
    const typed = words.filter(([word]) => word.test(head)).length;
    const inHead = words.filter((word) => place(word, head)).length;
    found.push({ href: path.split("/").map(encodeURIComponent).join("/") + (anchor && `#${anchor}`), title, heading, text, rank: inHead + typed });
  }
  return found.sort((a, b) => b.rank - a.rank);
}

function snippet(text, words) {
  const low = plain(text);
  const places = words.map((word) => place(word, low)).filter(Boolean).map(([at]) => at);
  const at = Math.max(0, Math.min(...places, low.length) - 30);
  const part = text.slice(at, at + 120);
  const line = document.createElement("span");
  let rest = part;
  while (rest) {
    const first = words.map((word) => place(word, plain(rest))).filter(Boolean).sort((a, b) => a[0] - b[0])[0];
    if (!first) break;
    const mark = document.createElement("mark");
    mark.textContent = rest.slice(first[0], first[0] + first[1]);
    line.append(rest.slice(0, first[0]), mark);
    rest = rest.slice(first[0] + first[1]);
  }
  line.append(rest);
  return line;
}

function item(hit, words) {
  const [row, link, name] = ["li", "a", "strong"].map((tag) => document.createElement(tag));
  link.href = document.documentElement.dataset.root + hit.href;
  name.textContent = hit.heading && hit.heading !== hit.title ? `${hit.title} › ${hit.heading}` : hit.title;
  link.append(name, snippet(hit.text, words));
  row.append(link);
  return row;
}

async function show() {
  await loaded();
  const words = terms(plain(field.value).trim());
  const found = words.length ? find(words) : [];
  const count = document.createElement("li");
  count.textContent = found.length ? `${found.length} 件` : "見つからない。別の言葉で探す。";
  hits.replaceChildren(count, ...found.slice(0, MOST).map((hit) => item(hit, words)));
  hits.hidden = !words.length;
}

field.addEventListener("focus", loaded);
field.addEventListener("input", show);
hits.addEventListener("click", () => { hits.hidden = true; });
document.addEventListener("click", (event) => { if (!event.target.closest("search")) hits.hidden = true; });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !hits.hidden) { hits.hidden = true; field.focus(); }
  if (event.key === "/" && event.target !== field) { event.preventDefault(); field.focus(); }
});

// Down and up go from the field through the hits and back, Home and End to the ends; Enter follows.
document.querySelector("search").addEventListener("keydown", (event) => {
  const stops = [field, ...hits.querySelectorAll("a")];
  const last = stops.length - 1;
  const now = stops.indexOf(document.activeElement);
  const next = { ArrowDown: Math.min(now + 1, last), ArrowUp: Math.max(now - 1, 0), Home: 1, End: last }[event.key];
  if (event.key === "Enter" && now === 0 && last > 0) { stops[1].click(); return; }
  if (next === undefined || hits.hidden || (now === 0 && event.key !== "ArrowDown")) return;
  event.preventDefault();
  stops[next].focus();
});

// The contents are longer than the window: show the line of this page.
const contents = document.getElementById("contents");
const here = contents.querySelector("[aria-current]");
if (here && contents.scrollHeight > contents.clientHeight) {
  contents.scrollTop = here.getBoundingClientRect().top - contents.getBoundingClientRect().top - contents.clientHeight / 3;
}
