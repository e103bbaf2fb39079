/* The menu closes by Escape and by a click beside it. Without this script it opens and closes by its own button. */
(() => {
  "use strict";

  const menu = document.querySelector(".menu-more");
  if (!menu) return;

  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
})();
