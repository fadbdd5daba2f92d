"use strict";
// The page works without this: it adds the filter, copying, and where the API is.
(() => {
  const every = (selector, within = document) => [...within.querySelectorAll(selector)];
  const operations = every("details.op");
  const make = (label, act) => {
    const b = document.createElement("button");
    b.type = "button";
    b.textContent = label;
    b.addEventListener("click", () => act(b));
    return b;
  };

  // Where the API is: beside this page.
  if (location.protocol.startsWith("http")) {
    const base = new URL(".", location.href).href.replace(/\/+$/, "");
    every(".place").forEach(e => { e.textContent = base; });
    every(".api").forEach(e => { if (e.textContent === "$API") e.textContent = base; });
  }

  // An operation that is linked to is open.
  const show = () => {
    let target = null;
    try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return; }
    const op = target && target.closest("details.op");
    if (!op) return;
    if (op.hidden) clear();
    op.open = true;
    op.scrollIntoView({ behavior: "instant" });
  };
  addEventListener("hashchange", show);

  // The filter: all of its words, anywhere in what an operation is called.
  const form = document.querySelector(".find");
  const field = document.getElementById("filter");
  const found = document.getElementById("found");
  const texts = new Map(operations.map(op => [op, (every(":scope > summary, .aliases", op).map(e => e.textContent).join(" ") + " " + op.dataset.find).toLowerCase()]));
  const groups = every("section.group").map(section => {
    const id = section.getAttribute("aria-labelledby");
    return { section, operations: every("details.op", section), link: document.querySelector(`nav a[href="#${id}"]`), heading: document.getElementById(id) };
  });
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let total = 0;
    for (const op of operations) op.hidden = !words.every(word => texts.get(op).includes(word));
    for (const g of groups) {
      const n = g.operations.filter(op => !op.hidden).length;
      total += n;
      g.section.hidden = n === 0;
      for (const place of [g.link, g.heading]) place.querySelector(".count").textContent = n;
      g.link.classList.toggle("empty", n === 0);
    }
    found.textContent = words.length ? `${total} of ${operations.length} operations` : "";
    document.querySelector(".none").hidden = total > 0;
  };
  const clear = () => { field.value = ""; filter(); };
  form.hidden = false;
  field.addEventListener("input", filter);
  form.addEventListener("submit", event => {
    event.preventDefault();
    const first = operations.find(op => !op.hidden);
    if (!first) return;
    first.open = true;
    first.querySelector("summary").focus();
    first.scrollIntoView({ behavior: "instant" });
  });
  addEventListener("keydown", event => {
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "Escape" && event.target === field) {
      clear();
    }
  });
  for (const g of groups) g.link.addEventListener("click", () => { if (g.section.hidden) clear(); });

  // All at once.
  const bar = document.createElement("div");
  bar.className = "bar";
  const unfold = open => () => { for (const op of operations) if (!op.hidden) op.open = open; };
  bar.append(make("Open all", unfold(true)), make("Close all", unfold(false)));
  document.getElementById("operations").prepend(bar);

  // Copying, where the browser lets a page do that.
  if (navigator.clipboard) {
    for (const pre of every("pre")) {
      const code = pre.querySelector("code");
      const copy = make("Copy", async b => {
        try {
          await navigator.clipboard.writeText(code.textContent);
          b.textContent = "Copied";
        } catch {
          b.textContent = "Failed";
        }
        setTimeout(() => { b.textContent = "Copy"; }, 1500);
      });
      pre.classList.add("copyable");
      pre.append(copy);
    }
  }

  // Which group is being read.
  const links = new Map(every("nav a").map(a => [document.querySelector(`#${a.hash.slice(1)}`), a]));
  const mark = () => {
    let current = null;
    for (const [place, link] of links) {
      if (!place.closest("[hidden]") && place.getBoundingClientRect().top < innerHeight / 3) current = link;
    }
    for (const link of links.values()) {
      if (link === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  mark();
  show();
})();
