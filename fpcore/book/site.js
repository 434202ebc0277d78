// Search of the browsable book: every word must occur in a section; Japanese needs no word breaks.
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

function find(words) {
  const found = [];
  for (const [page, anchor, heading, text] of BOOK.sections) {
    const [path, title] = BOOK.pages[page];
    const [head, body] = [plain(`${title} ${heading}`), plain(text)];
    if (!words.every((word) => head.includes(word) || body.includes(word))) continue;
    const inHead = words.filter((word) => head.includes(word)).length;
    found.push({ href: path.split("/").map(encodeURIComponent).join("/") + (anchor && `#${anchor}`), title, heading, text, inHead });
  }
  return found.sort((a, b) => b.inHead - a.inHead);
}

function snippet(text, words) {
  const low = plain(text);
  const at = Math.max(0, Math.min(...words.map((w) => low.indexOf(w)).filter((i) => i >= 0), low.length) - 30);
  const part = text.slice(at, at + 120);
  const line = document.createElement("span");
  let rest = part;
  while (rest) {
    const first = words.map((w) => [plain(rest).indexOf(w), w.length]).filter(([i]) => i >= 0).sort((a, b) => a[0] - b[0])[0];
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
  const words = plain(field.value).split(/\s+/).filter(Boolean);
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
  if (event.key === "Escape") { hits.hidden = true; }
  if (event.key === "/" && event.target !== field) { event.preventDefault(); field.focus(); }
});
