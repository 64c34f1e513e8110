// Keeps the page live: takes the newest one when the agent says that there is one, else every two seconds, and puts the sections that
// changed in place. Tables are sorted and filtered, and commands copied, where a reader asks for it.
// Without this script the page is whole, as of when it was loaded.

// How a reader has a section's table: sorted by which column, and which rows.
const asked = new Map();

function value(cell) {
  if (!cell) return "";
  if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
  const text = cell.textContent.trim();
  const number = parseFloat(text.replace(/[^0-9.eE-]/g, ""));
  return /^[^a-z]*[0-9]/i.test(text) && !Number.isNaN(number) ? number : text.toLowerCase();
}

function arrange(section) {
  const { column, down, words } = asked.get(section.id) ?? {};
  const table = section.querySelector("table.sortable");
  if (!table) return;
  const rows = [...table.tBodies[0].rows];
  if (column !== undefined) {
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    rows.sort((a, b) => {
      const [x, y] = [value(a.cells[column]), value(b.cells[column])];
      const by = typeof x === typeof y ? order(x, y) : order(typeof x, typeof y);
      return down ? -by : by;
    });
    table.tBodies[0].append(...rows);
  }
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    if (at === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  const wanted = (words ?? "").toLowerCase();
  for (const row of rows) row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
}

function dress(section) {
  const table = section.querySelector("table.sortable");
  if (table && table.tBodies[0].rows.length > 1) {
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => {
        const last = asked.get(section.id) ?? {};
        asked.set(section.id, { ...last, column: at, down: last.column === at ? !last.down : true });
        arrange(section);
      });
      head.append(button);
    });
    if (table.tBodies[0].rows.length > 5 || asked.get(section.id)?.words) {
      const tools = document.createElement("p");
      tools.className = "tools";
      const input = document.createElement("input");
      input.type = "search";
      input.placeholder = "Filter";
      input.setAttribute("aria-label", "Filter " + (section.querySelector("h2")?.textContent ?? ""));
      input.value = asked.get(section.id)?.words ?? "";
      input.addEventListener("input", () => {
        asked.set(section.id, { ...asked.get(section.id), words: input.value });
        arrange(section);
      });
      tools.append(input);
      table.closest(".wide").before(tools);
    }
    arrange(section);
  }
  for (const button of section.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
  return section;
}

// As the agent sends it, without what was dressed or arranged: what is compared.
const plain = new WeakMap();

// What a reader has opened or closed stays so, and what has the keyboard keeps it.
function exchange(old, fresh) {
  const sent = fresh.outerHTML;
  if (plain.get(old) === sent) return;
  for (const details of old.querySelectorAll("details[id]")) {
    fresh.querySelector("#" + CSS.escape(details.id))?.toggleAttribute("open", details.open);
  }
  const scrolled = [...old.querySelectorAll(".wide")].map((part) => part.scrollLeft);
  old.replaceWith(fresh);
  plain.set(fresh, sent);
  dress(fresh);
  fresh.querySelectorAll(".wide").forEach((part, at) => { part.scrollLeft = scrolled[at] ?? 0; });
}

// Nothing moves while nobody looks, marks text to copy it, holds a button down, or has the keyboard within.
function busy() {
  const main = document.querySelector("main");
  return document.hidden || !document.getSelection().isCollapsed || main.matches(":active") || main.querySelector(":focus-visible");
}

let asking = false;

async function refresh() {
  if (asking || busy()) return;
  asking = true;
  try {
    const answer = await fetch(location.pathname + location.search, { cache: "no-store" });
    // The session has ended: the agent sends whoever looks to the form.
    if (answer.status === 401) return location.reload();
    // That something is not there, or not yet, is a page too.
    if (!answer.ok && !answer.headers.get("content-type")?.startsWith("text/html")) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (busy()) return;
    for (const id of ["as-of", "watched"]) document.getElementById(id).replaceWith(page.getElementById(id));
    const main = document.querySelector("main");
    const fresh = [...page.querySelectorAll("main > section")];
    const known = [...main.children].map((section) => section.id).join();
    if (known === fresh.map((section) => section.id).join()) {
      fresh.forEach((section) => exchange(document.getElementById(section.id), section));
    } else {
      main.replaceChildren(...fresh);
      fresh.forEach(dress);
    }
    document.body.classList.remove("stale");
  } catch {
    const asOf = document.getElementById("as-of");
    if (!document.body.classList.contains("stale")) asOf.textContent += " (the agent does not respond)";
    document.body.classList.add("stale");
  } finally {
    asking = false;
  }
}

// Told by the agent while it tells; asked every two seconds while it does not, or lets no more listen. Nobody listens in a page that
// nobody sees: a browser has few connections to one host.
let stream, timer;

function poll(on) {
  clearInterval(timer);
  timer = on ? setInterval(refresh, 2000) : undefined;
}

function listen() {
  stream?.close();
  if (document.hidden) return poll(true);
  stream = new EventSource("/live");
  stream.addEventListener("open", () => poll(false));
  stream.addEventListener("newer", refresh);
  stream.addEventListener("error", () => {
    poll(true);
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 60000);
  });
}

for (const section of document.querySelectorAll("main > section")) {
  plain.set(section, section.outerHTML);
  dress(section);
}
// Who only passes through asks for no stream.
poll(true);
setTimeout(listen, 4000);
document.addEventListener("visibilitychange", () => setTimeout(listen, 1000));
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
