/* Keys for the console. Every one of them presses a button or follows a link that is on the page: without this script all of it
 * works by forms. Keys do nothing while a field is being typed in, or with Ctrl, Alt or Meta held. */
(() => {
  "use strict";

  const isTyping = (node) => node.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;
  /* Passed over is what was decided meanwhile, and what somebody else looks at. */
  const cards = () => [...document.querySelectorAll(".card:not([data-gone], [data-held])")];
  const isBehind = (one, other) => Boolean(one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);

  let here = null;

  /* The comment that keys are about: where the focus is or was last. It is marked, so that nobody decides on what they do not see. */
  function settle(card) {
    if (here === card) return;
    if (here) {
      here.classList.remove("here");
      here.removeAttribute("aria-current");
    }
    here = card;
    if (here) {
      here.classList.add("here");
      here.setAttribute("aria-current", "true");
    }
    document.dispatchEvent(new CustomEvent("settle"));
  }

  const current = () => (here && here.isConnected ? here : null);

  function go(card) {
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  }

  function move(step) {
    const all = cards();
    const from = current();
    const beyond = from ? all.filter((card) => card !== from && isBehind(from, card) === step > 0) : all;
    const next = step > 0 ? beyond[0] : beyond[beyond.length - 1];
    if (next) go(next);
    else document.dispatchEvent(new CustomEvent("end-of-cards", { detail: step }));
  }

  function press(key) {
    const card = current() || (cards().length === 1 ? cards()[0] : null);
    const named = [...document.querySelectorAll(`[data-key="${key}"]`)].filter((node) => node.checkVisibility());
    const target = named.find((node) => card && card.contains(node)) || named.find((node) => !node.closest(".card"));
    if (target) target.click();
    return Boolean(target);
  }

  document.addEventListener("focusin", (event) => {
    const card = event.target.closest(".card");
    if (card) settle(card);
    if (choice && !choice.contains(event.target)) closeChoice();
  });

  /* --- a reason, before a rejection is sent --- */

  let choice = null;

  function closeChoice() {
    const open = choice;
    choice = null;
    if (open) open.remove();
  }

  function openChoice(form, button) {
    closeChoice();
    const select = form.elements.reason;
    const options = [...select.options];
    choice = document.createElement("div");
    choice.className = "choice";
    choice.setAttribute("role", "group");
    choice.setAttribute("aria-label", "Reason to reject");
    for (const option of [...options.slice(1), options[0]]) {
      const pick = document.createElement("button");
      const key = document.createElement("kbd");
      pick.type = "button";
      key.textContent = options.indexOf(option);
      pick.append(key, option.textContent);
      pick.addEventListener("click", () => {
        select.value = option.value;
        closeChoice();
        form.requestSubmit(button);
      });
      choice.append(pick);
    }
    button.after(choice);
    choice.children[Math.max(0, select.selectedIndex - 1)].focus();
    choice.scrollIntoView({ block: "nearest" });
    choice.cancel = () => {
      const back = form.closest(".card") || button;
      closeChoice();
      back.focus({ preventScroll: true });
    };
  }

  function choose(event) {
    const picks = [...choice.children];
    const at = picks.indexOf(document.activeElement);
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    if (event.key === "Escape") choice.cancel();
    else if (/^[0-9]$/.test(event.key)) picks.find((pick) => pick.firstChild.textContent === event.key)?.click();
    else if (steps[event.key]) picks[(at + steps[event.key] + picks.length) % picks.length].focus();
    else return;
    event.preventDefault();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.key === "?") toggleKeys();
    else if (button.matches("[name=action][value=reject]") && button.form.matches(".one, .selection")) {
      event.preventDefault();
      openChoice(button.form, button);
    }
  });

  /* --- keys --- */

  function toggleKeys() {
    const keys = document.getElementById("keys");
    if (keys.open) keys.close();
    else keys.showModal();
  }

  function search() {
    const field = document.getElementById("q");
    if (field) field.focus();
  }

  const others = { j: () => move(1), k: () => move(-1), "/": search };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) {
      if (event.key === "?") toggleKeys();
    } else if (choice) {
      choose(event);
    } else if (isTyping(event.target)) {
      if (event.key !== "Escape") return;
      event.target.blur();
      if (current()) go(current());
    } else if (others[event.key]) {
      others[event.key]();
      event.preventDefault();
    } else if (/^[a-zA-Z?]$/.test(event.key) && !event.repeat && press(event.key)) {
      event.preventDefault();
    }
  });

  // A decision is sent once, however often the key is struck while the next page is on its way.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

  // A note for the record is still there when the decision was refused, or the session had ended.
  const draft = document.getElementById("note");
  if (draft) {
    const key = `note ${location.pathname}`;
    if (document.querySelector(".told.good")) sessionStorage.removeItem(key);
    else draft.value ||= sessionStorage.getItem(key) ?? "";
    draft.addEventListener("input", () => sessionStorage.setItem(key, draft.value));
  }

  document.documentElement.classList.add("keyed");
  const target = document.querySelector(".card:target");
  if (target) target.focus({ preventScroll: true });
  else if (document.querySelector(".told") && cards().length) cards()[0].focus({ preventScroll: true });
})();
