// Keeps the page live: takes the newest one every two seconds and puts the sections that changed in place.
// Without this script the page is whole, as of when it was loaded.

// What a reader has opened stays open, and what has the keyboard keeps it.
function exchange(old, fresh) {
  for (const details of old.querySelectorAll("details[open][id]")) {
    fresh.querySelector("#" + CSS.escape(details.id))?.setAttribute("open", "");
  }
  const scrolled = [...old.querySelectorAll(".wide")].map((part) => part.scrollLeft);
  if (old.outerHTML === fresh.outerHTML) return;
  old.replaceWith(fresh);
  fresh.querySelectorAll(".wide").forEach((part, at) => { part.scrollLeft = scrolled[at] ?? 0; });
}

// Nothing moves while nobody looks, marks text to copy it, holds a button down, or has the keyboard within.
function busy() {
  const main = document.querySelector("main");
  return document.hidden || !document.getSelection().isCollapsed || main.matches(":active") || main.querySelector(":focus-visible");
}

async function refresh() {
  if (busy()) return;
  try {
    const answer = await fetch(location.pathname + location.search, { cache: "no-store" });
    // The session has ended: the agent sends whoever looks to the form.
    if (answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error(answer.statusText);
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
    }
    document.body.classList.remove("stale");
  } catch {
    const asOf = document.getElementById("as-of");
    if (!document.body.classList.contains("stale")) asOf.textContent += " (the agent does not respond)";
    document.body.classList.add("stale");
  }
}

setInterval(refresh, 2000);
