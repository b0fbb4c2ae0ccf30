// The form of a source: shows what the chosen connector takes, and begins a field with an example.
"use strict";
(() => {
  const show = (name) => {
    for (const guide of document.querySelectorAll("[data-guide]")) guide.hidden = guide.dataset.guide !== name;
  };

  const fill = (button) => {
    const field = document.querySelector(`textarea[name="${CSS.escape(button.dataset.fill)}"]`);
    field.focus();
    field.select();
    // Unlike setting the value, this can be undone with Ctrl+Z.
    if (!document.execCommand("insertText", false, button.dataset.text)) field.value = button.dataset.text;
  };

  document.addEventListener("DOMContentLoaded", () => {
    const choice = document.querySelector('select[name="connector"]');
    if (!choice) return;
    choice.addEventListener("change", () => show(choice.value));
    show(choice.value);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-fill]");
    if (button) fill(button);
  });
})();
