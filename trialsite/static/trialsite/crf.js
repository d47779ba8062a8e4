// The form at the bedside: every field saves itself as a draft while it is typed, says when
// a value is unusual, and goes on with Enter. Without this file the form works by its buttons.

const form = document.getElementById("entry");

if (form?.dataset.draft) {
  const status = form.querySelector("[data-saved-time]");
  const pending = new Map();
  let travelling = [];
  let timer = 0;
  let wait = 1000;
  let leaving = false;

  const say = (state, text) => {
    status.dataset.state = state;
    status.textContent = text;
  };

  const body = (fields) => {
    const data = new URLSearchParams(fields);
    data.set("version", form.elements.version.value);
    data.set("part", form.dataset.part);
    data.set("page", form.elements.page.value);
    return data;
  };

  const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: form.dataset.zone, timeStyle: "medium" });
  const headers = () => ({ "X-Autosave": "1", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value });

  async function flush() {
    clearTimeout(timer);
    timer = 0;
    if (travelling.length || leaving || pending.size === 0) return;
    travelling = [...pending];
    pending.clear();
    say("saving", form.dataset.saving);
    try {
      const response = await fetch(form.dataset.draft, { method: "POST", headers: headers(), body: body(travelling), redirect: "error" });
      if (!response.ok) throw response;
      const { saved_at } = await response.json();
      wait = 1000;
      if (pending.size === 0) {
        say("saved", `${form.dataset.saved} ${clock.format(new Date(saved_at))}`);
        form.dispatchEvent(new CustomEvent("trialsite:saved", { bubbles: true }));
      }
    } catch (problem) {
      for (const [name, value] of travelling) if (!pending.has(name)) pending.set(name, value);
      refused(problem);
    } finally {
      travelling = [];
      if (pending.size && timer === 0) schedule(wait);
    }
  }

  // Unsaved typing stays in the tab and is sent again until it has arrived.
  function refused(problem) {
    wait = Math.min(wait * 2, 30000);
    if (problem.status === 403) renewToken();
    if (problem.status === 423 || problem.status === 401) {
      say("locked", "");
      const link = document.createElement("a");
      link.href = `${form.dataset.unlock}?next=/`;
      link.target = "_blank";
      link.textContent = form.dataset.locked;
      status.replaceChildren(link);
    } else {
      say("failed", form.dataset.failed);
    }
    schedule(wait);
  }

  // A new sign-in in another tab has a token of its own; this page takes it over.
  async function renewToken() {
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const token = fresh.querySelector("#entry [name=csrfmiddlewaretoken]");
    if (token) form.elements.csrfmiddlewaretoken.value = token.value;
  }

  // What is being saved is no draft any more.
  form.addEventListener("submit", () => {
    leaving = true;
    clearTimeout(timer);
    pending.clear();
  });
  addEventListener("pageshow", () => {
    leaving = false;
  });

  function schedule(delay) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      flush();
    }, delay);
  }

  form.addEventListener("input", (event) => {
    const { name, value, type, checked } = event.target;
    if (!name || ["version", "page", "base"].includes(name) || name.startsWith("reason_") || name.endsWith(".keep")) return;
    pending.set(name, type === "checkbox" ? (checked ? "true" : "") : value);
    // What is typed and not yet kept never stands under "saved".
    if (status.dataset.state === "saved") say("typing", "");
    schedule(500);
  });
  form.addEventListener("change", () => flush());
  document.addEventListener("trialsite:flush", () => flush());
  addEventListener("online", () => flush());
  addEventListener("focus", () => flush());
  // A page that goes away takes its requests with it: what is on its way is sent once more.
  document.addEventListener("visibilitychange", () => {
    const fields = new Map([...travelling, ...pending]);
    if (document.visibilityState === "hidden" && !leaving && fields.size) {
      fetch(form.dataset.draft, { method: "POST", headers: headers(), body: body(fields), keepalive: true }).catch(() => {});
    }
  });

  // Enter goes on to the next field; in the last one it reaches the buttons.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.matches("input:not([type=submit]), select")) return;
    event.preventDefault();
    const stops = [...form.querySelectorAll("input, select, textarea, .entry-buttons button")].filter(
      (each) => each.type !== "hidden" && each.offsetParent !== null && !each.closest("details:not([open])"),
    );
    const next = stops[stops.indexOf(event.target) + 1];
    next?.focus();
    next?.select?.();
    flush();
  });
}

// On leaving a field: is this a number, is it usual, is it plausible? Nothing is refused here.
const NUMBER = /^[-+]?[0-9]+(\.[0-9]*)?$/;
const WIDE = "０１２３４５６７８９。．·－−＋";
const plain = (text) => text.trim().replace(/[０-９。．·－−＋]/g, (sign) => "0123456789...--+"[WIDE.indexOf(sign)]);
const unitFactorKnown = (item) => !item.querySelector("select.item-unit")?.selectedIndex;

function look(input) {
  const item = input.closest("[data-item]");
  const hint = item.querySelector("[data-inline]");
  const text = plain(input.value);
  const value = Number(text.replace(/\.$/, ""));
  const outside = (low, high) =>
    (low !== undefined && value < Number(low)) || (high !== undefined && value > Number(high));
  const { usualLow, usualHigh, plausibleLow, plausibleHigh } = input.dataset;
  hint.hidden = true;
  if (!text) return;
  if (!NUMBER.test(text)) {
    hint.dataset.kind = "number";
    hint.textContent = form.dataset.noNumber;
    hint.hidden = false;
  } else if (unitFactorKnown(item) && outside(usualLow, usualHigh)) {
    hint.dataset.kind = "unusual";
    hint.textContent = form.dataset.unusual;
    hint.hidden = false;
  }
  const confirm = item.querySelector(".item-confirm");
  if (unitFactorKnown(item) && outside(plausibleLow, plausibleHigh)) confirm.hidden = false;
  else if (!confirm.querySelector("input").value) confirm.hidden = true;
}

form?.addEventListener("focusout", (event) => {
  if (event.target.matches("input[data-number]")) look(event.target);
});

// After a refusal the reader is taken to what stands in the way.
document.getElementById("problems")?.focus();
