// What every page does beyond HTML. Everything here also works without it, more slowly.

document.documentElement.classList.add("js");

const drawer = document.getElementById("drawer");
const drawerBody = document.getElementById("drawer-body");
let openedBy = null;

const isTyping = (element) =>
  element instanceof HTMLElement &&
  (element.isContentEditable || /^(input|textarea|select)$/i.test(element.tagName));

// `/` goes to the search box from anywhere but a field.
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !isTyping(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const box = document.getElementById("search");
    if (box) {
      event.preventDefault();
      box.focus();
      box.select();
    }
  }
  if (event.key === "Escape") {
    const menu = event.target.closest?.("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (drawer && !drawer.hidden) {
      closeDrawer();
    }
  }
});

// A menu closes when the person turns to something else.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("focusin", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Forms that consist of one choice are sent by choosing.
document.addEventListener("change", (event) => {
  event.target.closest("form[data-submit-on-change]")?.requestSubmit();
});

// Links marked `data-drawer` open beside the page; the address stays a page of its own.
export async function openDrawer(href, opener) {
  openedBy = opener ?? document.activeElement;
  await window.htmx.ajax("GET", href, { target: drawerBody, swap: "innerHTML", select: ".drawer-page, .leaf" });
  drawer.hidden = false;
  drawer.focus();
}

export function closeDrawer() {
  drawer.hidden = true;
  drawerBody.replaceChildren();
  openedBy?.focus?.();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-drawer]");
  if (link && drawer && window.htmx && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    openDrawer(link.href, link);
  }
  if (event.target.closest("[data-close-drawer]")) closeDrawer();
});

// A form marked `data-guard` warns before unsaved typing is left behind. Whoever saves
// says so with the event `trialsite:saved` on the form.
const unsaved = new Set();
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-guard]");
  if (form) unsaved.add(form);
});
document.addEventListener("submit", (event) => unsaved.delete(event.target));
document.addEventListener("trialsite:saved", (event) => unsaved.delete(event.target));
addEventListener("beforeunload", (event) => {
  for (const form of unsaved) if (!form.isConnected) unsaved.delete(form);
  if (unsaved.size) event.preventDefault();
});

// Before the page is left on purpose (language, colours, site), forms are asked to save
// what is not saved yet: they listen for `trialsite:flush` on the document.
document.addEventListener(
  "submit",
  (event) => {
    if (event.submitter?.hasAttribute("data-keeps-page") || event.target.matches("[data-submit-on-change]")) {
      document.dispatchEvent(new CustomEvent("trialsite:flush"));
    }
  },
  true,
);

// Printing is a button where the page has one.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// A part that costs more than its page comes by itself; a link to the whole stands until then.
for (const part of document.querySelectorAll("[data-fragment]")) {
  fetch(part.dataset.fragment, { headers: { "X-Looking-On": "1" }, redirect: "error" })
    .then(async (answer) => {
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      part.replaceChildren(...fresh.body.childNodes);
    })
    .catch(() => {});
}

// The clock of the footer goes on while the page stays open.
const clock = document.querySelector(".footer-clock time");
if (clock) {
  // By the machine's clock, which goes on while a tablet sleeps.
  const ahead = Date.parse(clock.dateTime) - Date.now();
  const written = new Intl.DateTimeFormat("sv-SE", { timeZone: clock.dataset.zone, dateStyle: "short", timeStyle: "short" });
  setInterval(() => {
    clock.textContent = written.format(new Date(Date.now() + ahead));
  }, 15000);
}
