"use strict";
// The page works without this script. It opens folded parts when the page is printed or a link leads into them,
// and plays one clip at a time. The many other clips are not printed.
const folded = () => document.querySelectorAll("details:not([open], .others)");
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...folded()];
  opened.forEach((part) => { part.open = true; });
});
addEventListener("afterprint", () => opened.forEach((part) => { part.open = false; }));
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", reveal);
addEventListener("DOMContentLoaded", reveal);
document.addEventListener("play", (event) => {
  document.querySelectorAll("audio").forEach((player) => { if (player !== event.target) player.pause(); });
}, true);
