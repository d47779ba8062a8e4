// A keyboard-wedge scanner types a code and Enter. The field keeps the focus between scans,
// also when somebody has touched the page; without this file everything works with a click.

const field = document.querySelector("#id_code");

if (field && field.hasAttribute("autofocus")) {
  field.focus();
  // A scanner may have begun before this file came: what it has typed is not typed over.
  if (field.value === field.defaultValue) {
    field.select();
  }
  window.addEventListener("focus", () => field.focus());
}

// Where the person types nothing, what a scanner types goes into the field of the page.
document.addEventListener("keydown", (event) => {
  const goal = field ?? document.querySelector("[data-scan]");
  const into = event.target instanceof HTMLElement ? event.target : null;
  const busy = into && (into.isContentEditable || /^(input|textarea|select|button|a|summary)$/i.test(into.tagName));
  if (goal && !busy && event.key.length === 1 && event.key !== "/" && !event.ctrlKey && !event.metaKey && !event.altKey) {
    goal.focus();
  }
});
