// The run sheet at the bedside. Every line of the grid keeps itself as a draft while it is
// typed and saves itself when it is left; what somebody else enters appears by itself.
// A line never says "saved" while anything in it is not. Without this file the sheet works
// by its buttons.

const grid = document.getElementById("readings");
const sheet = document.getElementById("sheet");
const words = grid?.dataset ?? {};
const editable = grid?.dataset.editable === "yes";

// The fields of a line, in the order of the paper.
const FIELDS = "input.tx-time, [data-cell] > input, [data-cell] > select";

// ---- the clock of the site, the duration so far

// Counted on from what the server last said by the tablet's own clock, however wrong that is:
// unlike performance.now() it goes on while the tablet sleeps.
let ahead = Date.parse(sheet?.dataset.now ?? "") - Date.now();
const now = () => new Date(Date.now() + ahead);
const parts = new Intl.DateTimeFormat("sv-SE", { timeZone: sheet?.dataset.zone ?? "UTC", hour: "2-digit", minute: "2-digit" });
const atSite = () => parts.format(now());

function tick() {
  for (const each of document.querySelectorAll("[data-since]")) {
    const from = Date.parse(each.dataset.since);
    const before = Number(each.dataset.minutes ?? 0);
    const minutes = Math.max(0, Math.floor(before + (now() - from) / 60000));
    each.textContent = `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;
  }
}
if (sheet) {
  tick();
  setInterval(tick, 5000);
}

// ---- numbers

const NUMBER = /^[-+]?[0-9]+(\.[0-9]*)?$/;
const WIDE = "０１２３４５６７８９。．·－−＋";
const plain = (text) => text.trim().replace(/[０-９。．·－−＋]/g, (sign) => "0123456789...--+"[WIDE.indexOf(sign)]);

// ---- one line

const lines = new Map();
const token = () => grid.querySelector("[name=csrfmiddlewaretoken]");
const headers = () => ({ "X-Autosave": "1", "X-CSRFToken": token().value });

class Line {
  constructor(row) {
    this.row = row;
    this.busy = false;
    this.again = false;
    this.keepTimer = 0;
    this.retryTimer = 0;
    this.wait = 1000;
    this.kept = "";
    this.touched = new Set();
    this.read();
    if (this.state === "draft" || this.state === "conflict") {
      for (const input of this.dirty()) this.touched.add(this.nameOf(input));
      this.kept = this.snapshot();
    }
  }

  get id() { return this.row.dataset.row; }
  get state() { return this.row.dataset.state; }
  get inputs() { return [...this.row.querySelectorAll(FIELDS)]; }
  get choosing() { return [...this.row.querySelectorAll(".tx-conflict")]; }
  hidden(name) { return this.row.querySelector(`[name="r.${this.id}.${name}"]`); }
  nameOf(input) { return input.name.split(".")[2]; }

  read() { this.base = JSON.parse(this.hidden("base")?.value || "{}"); }
  dirty() { return this.inputs.filter((input) => input.value !== (this.base[this.nameOf(input)] ?? "")); }
  get isDirty() { return this.dirty().length > 0; }
  get isEmpty() { return this.inputs.every((input) => !input.value.trim()); }
  // What is typed and neither in the casebook nor kept as a draft.
  get isUnsafe() { return this.busy || (this.isDirty && this.kept !== this.snapshot()); }
  snapshot() { return JSON.stringify(this.inputs.map((input) => input.value)); }

  say(state, text) {
    this.row.dataset.state = state;
    const said = this.row.querySelector("[data-said]");
    if (said) said.textContent = text;
    summary();
  }

  // A draft holds what this person touched; a save the whole line as it stands here.
  fields({ touched = false } = {}) {
    const body = new URLSearchParams();
    for (const input of this.inputs) {
      if (!touched || this.touched.has(this.nameOf(input))) body.set(input.name, input.value);
    }
    for (const name of ["version", "base", "slot", "page"]) {
      const input = this.hidden(name);
      if (input) body.set(input.name, input.value);
    }
    return body;
  }

  typing(input) {
    this.touched.add(this.nameOf(input));
    const time = this.row.querySelector("input.tx-time");
    if (input !== time && input.value && time && !time.value) {
      // The first value of a line times it: on the clock of the site, now.
      if (this.row.dataset.when !== "overdue") {
        time.value = atSite();
        this.touched.add(this.nameOf(time));
      }
    }
    if (this.isDirty) this.say("typing", words.typing);
    else if (!this.busy) this.say(Number(this.hidden("version").value) ? "saved" : "empty", "");
    clearTimeout(this.retryTimer);
    clearTimeout(this.keepTimer);
    this.keepTimer = setTimeout(() => this.keep(), 600);
    spares();
  }

  async keep() {
    clearTimeout(this.keepTimer);
    this.keepTimer = 0;
    if (this.busy || this.touched.size === 0) return;
    const snapshot = this.snapshot();
    if (this.kept === snapshot) return;
    this.busy = true;
    try {
      const answer = await send(this.row.dataset.draft, this.fields({ touched: true }));
      const { at } = await answer.json();
      this.kept = snapshot;
      this.wait = 1000;
      if (this.isDirty && this.snapshot() === snapshot && !this.again) this.say("kept", `${words.kept} ${at}`);
    } catch (problem) {
      this.failed(problem, () => this.keep());
    } finally {
      this.busy = false;
      summary();
    }
    if (this.again) this.save();
    else if (this.isDirty && this.kept !== this.snapshot() && !this.retryTimer) this.keepTimer = setTimeout(() => this.keep(), 600);
  }

  // On leaving the line: what was typed becomes data.
  async save() {
    clearTimeout(this.keepTimer);
    if (this.busy) {
      this.again = true;
      return;
    }
    this.again = false;
    if (!this.isDirty) {
      // Typed and taken back: nothing to save, and no draft of it is left behind.
      if (this.touched.size && this.kept) await this.keep();
      return;
    }
    if (this.choosing.some((each) => !each.querySelector(":checked"))) return;
    // Taking a choice away moves the focus, which asks to save: this save is under way by then.
    this.busy = true;
    for (const each of this.choosing) each.remove();
    const sent = new Map(this.inputs.map((input) => [this.nameOf(input), input.value]));
    this.say("saving", words.saving);
    try {
      const body = this.fields();
      for (const name of ["reason_code", "reason_text"]) if (grid.elements[name]) body.set(name, grid.elements[name].value);
      const answer = await send(this.row.dataset.url, body, [409, 422]);
      const said = await answer.json();
      this.wait = 1000;
      this.busy = false;
      this.take(said, sent);
    } catch (problem) {
      this.failed(problem, () => this.save());
    } finally {
      this.busy = false;
      summary();
    }
    if (this.again) this.save();
  }

  take(said, sent) {
    const fresh = rowOf(said.row);
    if (!fresh) {
      this.say("refused", said.detail ?? words.failed);
      return;
    }
    this.adopt(fresh, sent);
    if (said.outcome === "reason") document.getElementById("reading-reason")?.removeAttribute("hidden");
    if (said.outcome === "conflict" && this.choosing.length === 0) {
      // The other one filled in other cells of the line: both stay.
      this.again = true;
    }
    if (said.outcome === "saved") {
      this.kept = "";
      this.touched = new Set(this.dirty().map((input) => this.nameOf(input)));
      refreshSoon();
    }
    if (this.isDirty && said.outcome === "saved") {
      this.say("typing", words.typing);
      if (!this.row.contains(document.activeElement)) this.again = true;
      else this.keepTimer = setTimeout(() => this.keep(), 600);
    }
  }

  // Show the line as the server has it; what has been typed since stays.
  adopt(fresh, sent) {
    const before = this.base;
    for (const input of this.inputs) {
      const name = this.nameOf(input);
      const other = fresh.querySelector(`[name="${input.name}"]`);
      const untouched = sent ? input.value === sent.get(name) : input.value === (before[name] ?? "");
      if (other && untouched && input.value !== other.value) input.value = other.value;
      if (other) other.hasAttribute("aria-invalid") ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
    }
    for (const cell of fresh.querySelectorAll("[data-cell]")) {
      const mine = this.row.querySelector(`[data-cell="${cell.dataset.cell}"]`);
      mine.className = cell.className;
      mine.querySelector(".tx-note").replaceChildren(...cell.querySelector(".tx-note").childNodes);
      const value = mine.querySelector("output");
      if (value) value.textContent = cell.querySelector("output")?.textContent ?? "";
    }
    for (const name of ["version", "base", "page"]) {
      const [mine, other] = [this.hidden(name), fresh.querySelector(`[name="r.${this.id}.${name}"]`)];
      if (mine && other) mine.value = other.value;
    }
    for (const part of ["[data-due]", "[data-state-cell]", "[data-beside]", "[data-tools]"]) {
      const [mine, other] = [this.row.querySelector(part), fresh.querySelector(part)];
      if (mine && other) mine.replaceChildren(...other.childNodes);
    }
    this.row.className = fresh.className;
    this.row.dataset.state = fresh.dataset.state;
    this.row.dataset.when = fresh.dataset.when;
    this.read();
    for (const input of this.row.querySelectorAll("[data-number]")) if (this.dirty().includes(input)) look(input);
  }

  failed(problem, again) {
    this.wait = Math.min(this.wait * 2, 30000);
    if (problem?.status === 403) renewToken();
    if (problem?.status === 423 || problem?.status === 401) {
      this.say("locked", "");
      const link = document.createElement("a");
      link.href = `${words.unlock}?next=${encodeURIComponent("/")}`;
      link.target = "_blank";
      link.textContent = words.locked;
      this.row.querySelector("[data-said]").replaceChildren(link);
    } else {
      this.say("failed", words.failed);
    }
    this.retry = again;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.tryAgain(), this.wait);
  }

  tryAgain() {
    clearTimeout(this.retryTimer);
    this.retryTimer = 0;
    const again = this.retry;
    this.retry = null;
    again?.();
  }
}

async function send(url, body, accepted = []) {
  const answer = await fetch(url, { method: "POST", headers: headers(), body, redirect: "error" });
  if (!answer.ok && !accepted.includes(answer.status)) throw answer;
  return answer;
}

// A new sign-in in another tab has a token of its own; this page takes it over.
async function renewToken() {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[name=csrfmiddlewaretoken]");
  if (fresh) for (const each of document.querySelectorAll("[name=csrfmiddlewaretoken]")) each.value = fresh.value;
}

// A table row is parsed inside a table only.
function rowOf(html) {
  const holder = document.createElement("template");
  holder.innerHTML = `<table><tbody>${html ?? ""}</tbody></table>`;
  return holder.content.querySelector("tr[data-row]");
}

const lineOf = (element) => lines.get(element.closest?.("tr[data-row]")?.dataset.row);

// ---- the whole sheet: is everything kept?

function summary() {
  const foot = document.querySelector("[data-all-said]");
  if (!foot) return;
  const open = [...lines.values()].filter((line) => line.isDirty || line.busy);
  const unsafe = open.filter((line) => line.isUnsafe);
  const save = document.querySelector("[data-save-all]");
  foot.dataset.state = open.length ? "open" : "saved";
  foot.textContent = open.length ? words.open.replace("{n}", open.length) : words.all;
  if (save) save.hidden = open.length === 0;
  if (unsafe.length === 0) grid.dispatchEvent(new CustomEvent("trialsite:saved", { bubbles: true }));
}

// One empty line for a reading beyond the plan is in sight; the next shows when it is used.
function spares() {
  let offered = false;
  for (const row of grid.querySelectorAll("tr[data-when=spare]")) {
    const line = lines.get(row.dataset.row);
    const empty = line.isEmpty && row.dataset.state === "empty";
    row.hidden = empty && offered && !row.contains(document.activeElement);
    if (empty) offered = true;
  }
}

// ---- marks while typing; the server says the same when the line is saved

function look(input) {
  const cell = input.closest("[data-cell]");
  const note = cell.querySelector(".tx-note");
  const text = plain(input.value);
  const value = Number(text.replace(/\.$/, ""));
  const { usualLow, usualHigh, plausibleLow, plausibleHigh } = input.dataset;
  const below = (low) => low !== undefined && value < Number(low);
  const above = (high) => high !== undefined && value > Number(high);
  cell.classList.remove("is-high", "is-low", "is-high-far", "is-low-far", "is-wrong");
  note.querySelectorAll(".tx-mark, .tx-mark + .visually-hidden, .tx-error").forEach((each) => each.remove());
  if (!text) return;
  const holder = note.querySelector("span[id]") ?? note;
  const put = (className, said, title) => {
    const mark = document.createElement("span");
    mark.className = className;
    mark.textContent = said;
    if (title) {
      mark.title = title;
      const word = document.createElement("span");
      word.className = "visually-hidden";
      word.textContent = title;
      holder.prepend(mark, word);
    } else holder.prepend(mark);
  };
  if (!NUMBER.test(text)) {
    cell.classList.add("is-wrong");
    put("tx-error", words.noNumber);
  } else if (below(plausibleLow) || above(plausibleHigh)) {
    const side = below(plausibleLow) ? "low" : "high";
    cell.classList.add(`is-${side}-far`);
    put("tx-mark", side === "low" ? "▼" : "▲", words.implausible);
  } else if (below(usualLow) || above(usualHigh)) {
    const side = below(usualLow) ? "low" : "high";
    cell.classList.add(`is-${side}`);
    put("tx-mark", side === "low" ? "▼" : "▲", side === "low" ? words.below : words.above);
  }
}

// ---- moving about as on paper

const cells = (row) => [...row.querySelectorAll(FIELDS)];
const rows = () => [...grid.querySelectorAll("tr[data-row]")].filter((row) => !row.hidden && cells(row).length);

function go(input) {
  input?.focus();
  input?.select?.();
  input?.closest("td, th")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function onward(input, step) {
  const row = input.closest("tr");
  const inRow = cells(row);
  const next = inRow[inRow.indexOf(input) + step];
  if (next) return go(next);
  return nextLine(row, step);
}

function nextLine(row, step) {
  const all = rows();
  const other = all[all.indexOf(row) + step];
  if (!other) return lines.get(row.dataset.row)?.save();
  // A new line begins with its first value: the time writes itself. What is entered late
  // is asked for its own time.
  const found = cells(other);
  const first = other.dataset.when === "overdue" && !found[0].value ? 0 : 1;
  return go(step > 0 ? found[first] : found.at(-1));
}

function upDown(input, step) {
  const row = input.closest("tr");
  const all = rows();
  const other = all[all.indexOf(row) + step];
  if (other) go(cells(other)[cells(row).indexOf(input)]);
}

// Copy the line before: only into what is empty, never the time, never what was said.
function copyBefore(row) {
  const all = rows();
  let at = all.indexOf(row) - 1;
  while (at >= 0 && lines.get(all[at].dataset.row).isEmpty) at -= 1;
  if (at < 0) return;
  for (const input of cells(row)) {
    const from = input.name.split(".")[2];
    const source = all[at].querySelector(`[name="r.${all[at].dataset.row}.${from}"]`);
    if (["observed_at", "alarms"].includes(from) || input.value || !source?.value) continue;
    input.value = source.value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    if (input.matches("[data-number]")) look(input);
  }
  go(cells(row)[1]);
}

function press(event) {
  const input = event.target;
  if (!input.matches?.(FIELDS) || event.isComposing) return;
  const { key } = event;
  const step = moveOf(event, input);
  const command = event.ctrlKey || event.metaKey;
  if (command && key.toLowerCase() === "d") {
    event.preventDefault();
    copyBefore(input.closest("tr"));
  } else if (command && key === "Enter") {
    event.preventDefault();
    nextLine(input.closest("tr"), 1);
  } else if (step && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    step();
  }
}

// Enter and the arrows move as a finger on paper; within a text the arrows move the caret.
function moveOf(event, input) {
  if (event.key === "Enter") return () => onward(input, event.shiftKey ? -1 : 1);
  if (!input.matches("input") || event.shiftKey) return null;
  const { selectionStart: from, selectionEnd: to, value } = input;
  const whole = from === 0 && to === value.length;
  if (event.key === "ArrowDown") return () => upDown(input, 1);
  if (event.key === "ArrowUp") return () => upDown(input, -1);
  if (event.key === "ArrowRight" && (whole || from === value.length)) return () => onward(input, 1);
  if (event.key === "ArrowLeft" && (whole || to === 0)) return () => onward(input, -1);
  return null;
}

// ---- what others enter, every twenty seconds and after a save

let asking = false;
let soon = 0;

function refreshSoon() {
  clearTimeout(soon);
  soon = setTimeout(refresh, 1200);
}

async function refresh() {
  if (asking || document.visibilityState !== "visible" || !words.live) return;
  asking = true;
  // Looking on is no sign of a person: it does not put off the lock of an idle session.
  const answer = await fetch(words.live, { headers: { "X-Autosave": "1", "X-Looking-On": "1" }, redirect: "error" }).catch(() => null);
  asking = false;
  if (!answer?.ok) return;
  show(new DOMParser().parseFromString(await answer.text(), "text/html"));
}

function show(fresh) {
  const said = Date.parse(fresh.getElementById("sheet-clock")?.dateTime ?? "");
  if (!Number.isNaN(said)) ahead = said - Date.now();
  for (const id of ["sheet-now", "sheet-chart"]) {
    const [mine, other] = [document.getElementById(id), fresh.getElementById(id)];
    // A button that is being pressed is not taken away from under the finger.
    const used = mine?.contains(document.activeElement) || mine?.matches(":active");
    if (mine && other && !used) mine.replaceChildren(...other.childNodes);
  }
  tick();
  let after = null;
  for (const row of fresh.querySelectorAll("tr[data-row]")) {
    const line = lines.get(row.dataset.row);
    if (!line) {
      const added = document.importNode(row, true);
      after ? after.after(added) : grid.querySelector("tbody").prepend(added);
      lines.set(added.dataset.row, new Line(added));
      after = added;
      continue;
    }
    after = line.row;
    const version = Number(row.querySelector(`[name="r.${line.id}.version"]`)?.value ?? 0);
    const mine = Number(line.hidden("version")?.value ?? 0);
    if (line.isDirty || line.busy || version < mine) continue;
    const voided = row.dataset.state === "voided" && line.state !== "voided";
    if (voided) {
      const gone = document.importNode(row, true);
      line.row.replaceWith(gone);
      lines.set(gone.dataset.row, new Line(gone));
      after = gone;
    } else if (version > mine || row.dataset.when !== line.row.dataset.when) line.adopt(row);
  }
  spares();
  summary();
}

// ---- begin

if (grid && editable) {
  for (const row of grid.querySelectorAll("tr[data-row]")) lines.set(row.dataset.row, new Line(row));
  spares();
  summary();

  grid.addEventListener("input", (event) => {
    const input = event.target;
    if (input.matches(FIELDS)) lineOf(input)?.typing(input);
  });
  grid.addEventListener("keydown", press);
  grid.addEventListener("focusin", (event) => {
    if (event.target.matches("input.tx-time, [data-cell] > input")) event.target.select();
  });
  grid.addEventListener("focusout", (event) => {
    if (event.target.matches("[data-number]") && lineOf(event.target)?.dirty().includes(event.target)) look(event.target);
    const row = event.target.closest("tr[data-row]");
    // Leaving the window leaves no line: the draft is kept, the person comes back.
    if (row && document.hasFocus() && !row.contains(event.relatedTarget)) lineOf(row)?.save();
  });
  grid.addEventListener("change", (event) => {
    const choice = event.target.closest(".tx-conflict");
    if (!choice) return;
    const line = lineOf(choice);
    const cell = choice.closest("[data-cell], th");
    if (event.target.value === "theirs") {
      const input = cell.querySelector("input:not([type=radio]), select");
      input.value = choice.dataset.theirs;
      if (input.matches("[data-number]")) look(input);
    }
    cell.querySelector(FIELDS)?.focus();
    const decided = line.choosing.every((each) => each.querySelector(":checked"));
    if (decided && !line.isDirty) {
      for (const each of line.choosing) each.remove();
      line.touched.clear();
      line.say("saved", "");
    } else if (decided) line.save();
  });
  grid.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) copyBefore(copy.closest("tr"));
  });
  document.querySelector("[data-add-reading]")?.addEventListener("click", (event) => {
    const row = [...grid.querySelectorAll("tr[data-when=spare]")].find((each) => lines.get(each.dataset.row).isEmpty);
    if (!row) return;
    // Going to the fragment would take the focus out of the cell again.
    event.preventDefault();
    row.hidden = false;
    go(cells(row)[1]);
  });
  grid.addEventListener("submit", (event) => {
    event.preventDefault();
    for (const line of lines.values()) line.save();
  });

  const hurry = () => {
    for (const line of lines.values()) if (line.retry) line.tryAgain();
  };
  addEventListener("online", hurry);
  addEventListener("focus", hurry);
  document.addEventListener("trialsite:flush", () => {
    for (const line of lines.values()) line.keep();
  });
  // A page that goes away takes its requests with it: what is on its way is sent once more.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") refresh();
    else for (const line of lines.values()) {
      if (line.isUnsafe && line.touched.size) fetch(line.row.dataset.draft, { method: "POST", headers: headers(), body: line.fields({ touched: true }), keepalive: true }).catch(() => {});
    }
  });
}

if (grid) setInterval(refresh, Number(words.every ?? 20) * 1000);
if (grid && !editable) for (const row of grid.querySelectorAll("tr[data-row]")) lines.set(row.dataset.row, new Line(row));

// The way to the complications opens their entry: one tap, and the choice is under the finger.
document.querySelector(".tx-head a[href='#complication']")?.addEventListener("click", (event) => {
  const entry = document.querySelector("#complication > .tx-add");
  if (!entry) return;
  event.preventDefault();
  entry.open = true;
  entry.scrollIntoView({ block: "center" });
  entry.querySelector("select, input:not([type=hidden])")?.focus({ preventScroll: true });
});

// A button that says "now" writes the clock of the site into its field.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-now-for]");
  if (!button) return;
  const field = document.getElementById(button.dataset.nowFor);
  field.value = atSite();
  field.focus();
});

// After a refusal the reader is taken to what stands in the way.
document.querySelector(".tx-step [aria-invalid=true]")?.focus();
