"use strict";
// The search, the number of the last page, and what printing needs. The files
// of the search index call dsrPackage, since a page that was opened from disk
// can load scripts, but read nothing.
const dsrPackage = (() => {
  const script = document.currentScript, root = script.dataset.root, nonce = script.nonce;
  const lang = document.documentElement.lang;
  const $ = id => document.getElementById(id);
  const form = $("search"), input = $("q"), status = $("status"), results = $("results"), more = $("more");
  const shards = [], waiting = [];
  const atOnce = 50, before = 60, after = 180;
  let count = 0, whole = true, current = 0;

  const number = n => n.toLocaleString(lang);
  const fill = (text, words) => text.replace(/\{(\w+)\}/g, (all, word) => word in words ? words[word] : all);
  const say = text => { status.textContent = text; };

  // fold makes texts equal that differ in case, accents or form only.
  const fold = text => /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase()
    : text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toUpperCase().toLowerCase().replace(/\u03c2/g, "\u03c3");
  const wordsOf = text => [...new Set(fold(text).split(/\s+/).filter(Boolean))];

  // visible shows what cannot be seen, or would reorder what can, as a number.
  const unseen = /[\x00-\x1f\x7f-\x9f\u180e\u200b\ufeff\u2028-\u202e\u2060-\u206f\ufff9-\ufffb]/g;
  const visible = text => text.replace(/\s*\n\s*/g, " \u00b7 ").replace(/\t/g, " ")
    .replace(unseen, c => "[U+" + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "]");

  const make = (name, text, ...children) => {
    const element = document.createElement(name);
    if (text) element.textContent = text;
    element.append(...children);
    return element;
  };

  // load resolves when a file of the index called shard.
  const load = n => new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.nonce = nonce;
    element.src = root + "search/" + n + ".js";
    element.onload = () => { element.remove(); shards[n] ? resolve() : reject(new Error("empty")); };
    element.onerror = () => { element.remove(); reject(new Error("missing")); };
    document.head.append(element);
  });

  async function search(text) {
    const run = ++current, words = wordsOf(text), found = [], match = matcher(words, found);
    results.replaceChildren();
    more.hidden = true;
    say("");
    if (!words.length) return;
    for (let n = 1; n <= count; n++) {
      if (!shards[n]) {
        if (count > 4) say(fill(form.dataset.searching, {n: number(n), total: number(count)}));
        try {
          await (waiting[n] ||= load(n));
        } catch {
          waiting[n] = undefined;
          if (run === current) say(form.dataset.broken);
          return;
        }
      } else if (n % 8 === 0) {
        await new Promise(resolve => setTimeout(resolve));
      }
      if (run !== current) return;
      for (const group of shards[n]) {
        for (const row of group.r) match(group, row);
      }
    }
    say(found.length ? fill(form.dataset.results, {n: number(found.length)}) : form.dataset.none);
    show(found, words, 0);
  }

  // matcher returns what adds a row that holds every word to those found, once.
  // A large row comes in parts, one after the other: words can be spread over
  // them, and one word over two. The part shown is the first that has a word.
  function matcher(words, found) {
    const longest = Math.max(...words.map(word => word.length));
    let group, row, part, left, tail;
    return (ofPart, next) => {
      const first = !row || next[0] !== row[0] || next[1] !== row[1] || ofPart.p !== group.p;
      if (first) {
        [group, row, part, tail] = [ofPart, next, null, ""];
        left = words.filter(word => !group.folded.includes(word));
      } else if (!left) {
        return;
      }
      const seam = tail && tail + next[3].slice(0, longest);
      const rest = left.filter(word => !next[3].includes(word) && !seam.includes(word));
      if (rest.length < left.length) part ||= next;
      left = rest;
      tail = next[3].slice(-longest);
      if (left.length) return;
      found.push([group, part || row]);
      left = null;
    };
  }

  function show(found, words, from) {
    const items = found.slice(from, from + atOnce).map(([group, row]) => result(group, row, words));
    results.append(...items);
    more.hidden = from + atOnce >= found.length;
    more.onclick = () => show(found, words, from + atOnce);
    if (from && items.length) items[0].querySelector("a").focus();
  }

  function result(group, [page, row, text, folded], words) {
    const link = make("a");
    if (typeof page === "string") {
      link.href = page;
      link.append(make("bdi", visible(text)));
      return make("li", "", make("p", form.dataset.files), link);
    }
    link.href = group.p + "page-" + page + ".html#r" + row;
    link.append(make("bdi", visible(group.c)), " \u00b7 " + fill(form.dataset.entry, {n: number(row)}));
    return make("li", "", make("p", "", make("bdi", visible(group.s))), link, snippet(text, folded, words));
  }

  // snippet shows the text around the first word that was found.
  function snippet(text, folded, words) {
    const places = words.map(word => folded.indexOf(word)).filter(at => at >= 0);
    const first = places.length ? original(text, folded, Math.min(...places)) : 0;
    text = text.trimEnd();
    let start = first <= before ? 0 : first - before;
    if (start) start += Math.max(0, text.slice(start, first).search(/\s/) + 1);
    const part = [...text.slice(start, start + before + after)];
    // Each character's place in the folded part, to mark the words in it.
    const at = [];
    let low = "";
    part.forEach((c, i) => {
      const f = fold(c);
      for (let k = 0; k < f.length; k++) at.push(i);
      low += f;
    });
    const marked = new Set();
    for (const word of words) {
      for (let i = low.indexOf(word); i >= 0; i = low.indexOf(word, i + word.length)) {
        for (let k = i; k < i + word.length; k++) marked.add(at[k]);
      }
    }
    const out = make("bdi");
    for (let i = 0; i < part.length;) {
      let end = i + 1;
      while (end < part.length && marked.has(end) === marked.has(i)) end++;
      const piece = visible(part.slice(i, end).join(""));
      out.append(marked.has(i) ? make("mark", piece) : piece);
      i = end;
    }
    return make("p", "", start ? "\u2026 " : "", out, start + before + after < text.length ? " \u2026" : "");
  }

  // original finds the place in a text of one in its folded form.
  function original(text, folded, place) {
    if (text.length === folded.length) return place;
    let low = 0, high = text.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (fold(text.slice(0, middle)).length < place) low = middle + 1; else high = middle;
    }
    return low;
  }

  // filter leaves the rows of this page that hold every word.
  function filter(text) {
    const words = wordsOf(text);
    let found = 0;
    for (const row of document.querySelectorAll("#rows > article")) {
      const folded = words.length ? fold(row.lastElementChild.textContent) : "";
      row.hidden = !words.every(word => folded.includes(word));
      if (!row.hidden) found++;
    }
    say(!words.length ? "" : found ? fill(form.dataset.results, {n: number(found)}) : form.dataset.none);
  }

  function searchHere(text) {
    const hash = text.trim() ? "#q=" + encodeURIComponent(text) : "";
    search(text);
    history.replaceState(null, "", hash || "#");
  }

  // wanted is what the address asks to search for.
  function wanted() {
    if (!location.hash.startsWith("#q=")) return null;
    try { return decodeURIComponent(location.hash.slice(3)); } catch { return null; }
  }

  function index(about) {
    if (!form || about.whole && !about.shards) return;
    count = about.shards;
    whole = about.whole;
    form.hidden = false;
    const here = root === "";
    let timer;
    if (!here && !whole) $("search-page").hidden = false;
    form.addEventListener("submit", event => {
      event.preventDefault();
      clearTimeout(timer);
      if (here) searchHere(input.value);
      else if (!whole) filter(input.value);
      else if (input.value.trim()) location.href = root + "index.html#q=" + encodeURIComponent(input.value);
    });
    if (here || !whole) {
      input.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(() => here ? searchHere(input.value) : filter(input.value), 300);
      });
    }
    if (here) {
      const ask = () => { const text = wanted(); if (text !== null) { input.value = text; search(text); } };
      addEventListener("hashchange", ask);
      ask();
    }
  }

  function shard(n, groups) {
    for (const group of groups) {
      group.folded = fold(group.s + "\n" + group.c);
      for (const row of group.r) row.push(fold(row[2]));
    }
    shards[n] = groups;
  }

  // pages completes the ways through a collection of several pages.
  function pages(last, rows) {
    // The head of a page that holds a large row has no ways to others.
    for (const nav of document.querySelectorAll("nav.pager[hidden]")) {
      nav.append(...document.querySelector("div.pager").cloneNode(true).childNodes);
      nav.hidden = false;
    }
    const total = $("total");
    if (total) total.textContent = " " + fill(total.dataset.of, {total: number(rows)});
    for (const now of document.querySelectorAll(".pager .now")) now.textContent += " " + fill(now.dataset.of, {total: number(last)});
    for (const link of document.querySelectorAll(".pager .last")) link.href = "page-" + last + ".html";
    for (const jump of document.querySelectorAll(".jump")) {
      const to = jump.querySelector("input");
      to.max = last;
      jump.hidden = false;
      jump.addEventListener("submit", event => {
        event.preventDefault();
        location.href = "page-" + Math.min(last, Math.max(1, Math.trunc(to.valueAsNumber) || 1)) + ".html";
      });
    }
  }

  // Paper cannot be unfolded.
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details:not([open])")];
    for (const details of unfolded) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of unfolded) details.open = false; });

  return {index, shard, pages};
})();
