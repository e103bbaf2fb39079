/* Keys for the console. Every one of them presses a button or follows a link that is on the page: without this script all of it
 * works by forms. Keys do nothing while a field is being typed in, or with Ctrl, Alt or Meta held. */
(() => {
  "use strict";

  const cards = () => [...document.querySelectorAll(".card")];
  const isTyping = (node) => node.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;

  function current() {
    const inside = document.activeElement && document.activeElement.closest(".card");
    return inside || document.querySelector(".card:target") || null;
  }

  function move(step) {
    const all = cards();
    const at = all.indexOf(current());
    const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
    if (!next) return;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function press(key) {
    const card = current() || (cards().length === 1 ? cards()[0] : null);
    const inside = card && card.querySelector(`[data-key="${key}"]`);
    const target = inside || document.querySelector(`.flash [data-key="${key}"]`);
    if (target) target.click();
    return Boolean(target);
  }

  function toggleKeys() {
    const keys = document.getElementById("keys");
    if (keys) keys.open = !keys.open;
  }

  function search() {
    const field = document.getElementById("q");
    if (field) field.focus();
  }

  const others = { j: () => move(1), k: () => move(-1), "/": search, "?": toggleKeys };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (others[event.key]) {
      others[event.key]();
      event.preventDefault();
    } else if (/^[arsetbou]$/.test(event.key) && !event.repeat && press(event.key)) {
      event.preventDefault();
    }
  });

  // A decision is sent once, however often the key is struck while the next page is on its way.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

  document.documentElement.classList.add("keyed");
  const target = document.querySelector(".card:target");
  if (target) target.focus({ preventScroll: true });
  else if (document.querySelector(".flash") && cards().length) cards()[0].focus({ preventScroll: true });
})();
