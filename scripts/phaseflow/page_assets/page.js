// What the page does beyond being read: a dark or light page, tables that sort, a mark at the place in the contents.
"use strict";

function chooseTheme() {
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  const dark = rules.find((rule) => rule.media && rule.media.mediaText.includes("prefers-color-scheme"));
  const system = dark.media.mediaText;
  const isDark = () => matchMedia(dark.media.mediaText).matches;
  const apply = (theme) => {
    dark.media.mediaText = { dark: "screen", light: "not all" }[theme] ?? system;
  };
  const store = (theme) => {
    try {
      return theme ? localStorage.setItem("phaseflow-theme", theme) : localStorage.getItem("phaseflow-theme");
    } catch {
      return null; // a page opened from a file may have no storage
    }
  };
  apply(store());
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => (button.textContent = isDark() ? "Light page" : "Dark page");
    button.hidden = false;
    button.addEventListener("click", () => {
      const theme = isDark() ? "light" : "dark";
      apply(theme);
      store(theme);
      label();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
    label();
  });
}

function compareCells(a, b) {
  const read = (cell) => cell.querySelector("[title]")?.title ?? cell.textContent;
  const [x, y] = [read(a), read(b)];
  if (a.className === "text" || b.className === "text") return x.localeCompare(y, "en");
  if (a.className === "id") return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0); // beyond the doubles
  const number = (text) => (text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text.replace("−", "-")));
  return number(x) - number(y);
}

function sortTable(table, column, isDescending) {
  const body = table.tBodies[0];
  const isMissing = (row) => row.cells[column].querySelector(".none") !== null;
  const rows = [...body.rows].sort((a, b) => {
    if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b); // no value: last, whatever the direction
    return (isDescending ? -1 : 1) * compareCells(a.cells[column], b.cells[column]);
  });
  body.append(...rows);
}

function makeSortable(table) {
  if (table.tBodies[0].rows.length < 2) return;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const isDescending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
      sortTable(table, column, isDescending);
    });
  });
}

// Entries in which every word occurs stay; what belongs to the others is hidden.
function search(words) {
  const entries = [...document.querySelectorAll("section.entry")];
  const texts = (search.texts ??= entries.map((entry) => {
    const parts = [...document.querySelectorAll(`[data-entry="${CSS.escape(entry.dataset.entry)}"]`)];
    return parts.map((part) => part.textContent).join(" ").toLowerCase();
  }));
  const kept = new Set(entries.filter((_, place) => words.every((word) => texts[place].includes(word))).map((entry) => entry.dataset.entry));
  document.querySelectorAll("[data-entry]").forEach((part) => (part.hidden = !kept.has(part.dataset.entry)));
  document.querySelectorAll("nav .group").forEach((group) => {
    const inside = [...group.querySelectorAll("[data-entry]")];
    group.hidden = inside.length > 0 && inside.every((part) => part.hidden);
  });
  document.getElementById("search-result").textContent = words.length ? `${kept.size} of ${entries.length}` : "";
}

function offerSearch() {
  const box = document.getElementById("search");
  const field = box.querySelector("input");
  box.hidden = document.querySelectorAll("section.entry").length < 2;
  field.addEventListener("input", () => search(field.value.toLowerCase().split(/\s+/).filter(Boolean)));
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !box.hidden && document.activeElement.tagName !== "INPUT") {
      event.preventDefault();
      field.focus();
    }
  });
}

function markPlace() {
  const links = new Map([...document.querySelectorAll("nav li a")].map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
  const sections = [...document.querySelectorAll("main section[id]")].filter((section) => links.has(section.id));
  const seen = new Set();
  const observer = new IntersectionObserver(
    (changes) => {
      changes.forEach((change) => (change.isIntersecting ? seen.add(change.target) : seen.delete(change.target)));
      const current = sections.find((section) => seen.has(section));
      if (!current) return;
      links.forEach((link, id) => (id === current.id ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
    },
    { rootMargin: "-10% 0px -75% 0px" },
  );
  sections.forEach((section) => observer.observe(section));
}

chooseTheme();
addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".scroll table").forEach(makeSortable);
  offerSearch();
  markPlace();
});
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
