// The lab panel: on leaving a result it says how it is read, Enter goes down the column.
// Drafts are kept by crf.js. Without this file the page works by its buttons.

const form = document.getElementById("entry");

if (form?.dataset.look) {
  const results = () => [...form.querySelectorAll("input.labs-result")].filter((each) => each.offsetParent !== null);

  // Enter goes to the next analyte; after the last one to the buttons.
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Enter" || event.isComposing || !event.target.matches?.("input.labs-result")) return;
      event.preventDefault();
      event.stopPropagation();
      const all = results();
      const next = all[all.indexOf(event.target) + (event.shiftKey ? -1 : 1)];
      const goal = next ?? form.querySelector(".entry-buttons button");
      goal?.focus();
      next?.select();
    },
    true,
  );

  // A number is kept with the unit that stands beside it, also where that is a preset.
  form.addEventListener("input", (event) => {
    if (!event.target.matches("input.labs-result")) return;
    const unit = form.elements[`${event.target.name}.unit`];
    unit?.dispatchEvent(new Event("input", { bubbles: true }));
  });

  const icons = { low: "↓ ", high: "↑ ", normal: "", unknown: "" };

  function show(row, said) {
    const flag = row.querySelector("[data-flag]");
    const question = row.querySelector("[data-question]");
    const confirm = row.querySelector("[data-confirm]");
    row.querySelector("[data-server-hint]")?.remove();
    const warning = row.querySelector("[data-warning]");
    warning.textContent = said.warning ?? "";
    warning.hidden = !said.warning;
    if (said.warning) warning.closest("details").open = true;
    row.querySelector("[data-canonical]").textContent = said.canonical ?? "";
    row.querySelector("[data-range]").textContent = said.range || "–";
    flag.replaceChildren();
    if (said.flag) {
      const word = document.createElement("span");
      word.className = `labs-flag labs-flag-${said.flag}`;
      word.textContent = `${icons[said.flag]}${said.word}`;
      flag.append(word);
    }
    if (said.grade) {
      const grade = document.createElement("span");
      grade.className = "second labs-ctcae";
      grade.textContent = said.grade;
      flag.append(grade);
    }
    question.replaceChildren();
    question.hidden = true;
    if (said.error) {
      question.textContent = said.error;
      question.hidden = false;
    } else if (said.question) {
      const choose = document.createElement("button");
      choose.type = "button";
      choose.className = "btn btn-sm";
      choose.textContent = `${said.question} = ${said.would_be}`;
      choose.addEventListener("click", () => {
        const unit = form.elements[`${row.dataset.analyte}.unit`];
        unit.value = said.unit;
        unit.dispatchEvent(new Event("input", { bubbles: true }));
        unit.dispatchEvent(new Event("change", { bubbles: true }));
        row.querySelector("input.labs-result").focus();
      });
      question.append(choose);
      question.hidden = false;
    }
    if (said.confirm) confirm.hidden = false;
    else if (!confirm.querySelector("input").value) confirm.hidden = true;
  }

  const asked = new Map();

  async function look(row) {
    const key = row.dataset.analyte;
    const text = form.elements[key].value;
    const unit = form.elements[`${key}.unit`].value;
    if (!text.trim()) {
      asked.delete(key);
      show(row, {});
      return;
    }
    const ref = form.elements[`${key}.ref`].value;
    const question = JSON.stringify([text, unit, ref, form.elements.laboratory.value, form.elements.collected_at.value]);
    if (asked.get(key) === question) return;
    asked.set(key, question);
    const body = new URLSearchParams({ analyte: key, [key]: text, [`${key}.unit`]: unit, [`${key}.ref`]: ref });
    for (const name of ["laboratory", "collected_at"]) body.set(name, form.elements[name].value);
    const headers = { "X-Autosave": "1", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
    const answer = await fetch(form.dataset.look, { method: "POST", headers, body, redirect: "error" }).catch(() => null);
    // Without an answer the page says so when it is saved; the field keeps what was typed.
    if (!answer?.ok) asked.delete(key);
    else if (asked.get(key) === question) show(row, await answer.json());
  }

  const rowOf = (element) => element.closest("tr[data-analyte]");

  form.addEventListener("focusout", (event) => {
    if (event.target.matches("input.labs-result")) look(rowOf(event.target));
  });
  form.addEventListener("change", (event) => {
    if (event.target.matches("select.labs-unit, .labs-ref input")) look(rowOf(event.target));
    if (["laboratory", "collected_at"].includes(event.target.name)) {
      for (const input of results()) if (input.value.trim()) look(rowOf(input));
    }
  });
}
