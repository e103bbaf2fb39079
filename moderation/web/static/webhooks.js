/* Shows webhooks as they reach the demo's receiver: asks for newer ones every two seconds while the page is seen. */
(() => {
  "use strict";
  const EVERY_MS = 2000;
  const list = document.getElementById("arrivals");
  const live = document.getElementById("live");
  let newest = Number(list.dataset.newest);

  const make = (tag, className, ...children) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children);
    return node;
  };

  const own = (text) => {
    const node = make("bdi", "", text);
    node.dir = "auto";
    return node;
  };

  function row(arrival) {
    const verdict = arrival.verified ? make("span", "verified", "✓ verified") : make("span", "refused", "✗ not verified");
    const time = make("time", "", arrival.at.slice(11, 19));
    time.dateTime = arrival.at;
    return make(
      "li",
      "",
      make("span", "", make("span", "type", arrival.type), make("br"), verdict),
      make("span", "excerpt", own(arrival.author), arrival.excerpt ? ": " : "", own(arrival.excerpt), make("br"), make("span", "id", arrival.id)),
      time,
    );
  }

  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch(`${list.dataset.feed}?after=${newest}`);
      const { arrivals } = await answer.json();
      for (const arrival of arrivals.reverse()) {
        list.prepend(row(arrival));
        newest = arrival.number;
      }
      const empty = document.getElementById("empty");
      if (newest && empty) empty.remove();
      live.textContent = "Live: looks every two seconds.";
    } catch {
      live.textContent = "The service does not answer. Trying again.";
    }
  }

  look();
  setInterval(look, EVERY_MS);
})();
