// Keeps the page live: takes the newest one every two seconds and puts its parts in place.
// Without this script the page is whole, as of when it was loaded.
const parts = ["live", "as-of"];

async function refresh() {
  // Nothing moves while nobody looks, or while somebody marks text to copy it.
  if (document.hidden || !document.getSelection().isCollapsed) return;
  try {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of parts) {
      document.getElementById(id).replaceWith(page.getElementById(id));
    }
    document.body.classList.remove("stale");
  } catch {
    document.getElementById("as-of").textContent += document.body.classList.contains("stale") ? "" : " (agent does not answer)";
    document.body.classList.add("stale");
  }
}

setInterval(refresh, 2000);
