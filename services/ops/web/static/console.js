// Keeps what says `data-live` up to date: fetches it from there and changes only what differs, so that focus,
// selection, scroll position and opened details stay where they are. Without this script the page reloads itself.
"use strict";

const EVERY = 2000; // ms
const TIMEOUT = 8000; // ms: the server answers in about 3 s, even when nothing behind it does

function morph(held, fresh) {
  if (held.isEqualNode(fresh)) return;
  if (held.nodeType !== fresh.nodeType || held.nodeName !== fresh.nodeName) return held.replaceWith(fresh);
  if (held.nodeType !== Node.ELEMENT_NODE) {
    held.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...held.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") held.removeAttribute(name); // what a person opened stays open
  }
  for (const { name, value } of fresh.attributes) {
    if (held.getAttribute(name) !== value) held.setAttribute(name, value);
  }
  morphChildren(held, fresh);
}

// Children with an id are told by it, the others by their place. What stays is not moved: moving takes the focus away.
function morphChildren(held, fresh) {
  const twins = new Map([...held.children].filter((child) => child.id).map((child) => [child.id, child]));
  const stays = new Set([...fresh.children].map((child) => twins.get(child.id)));
  let next = held.firstChild;
  for (const child of [...fresh.childNodes]) {
    const twin = child.id ? twins.get(child.id) : next && !next.id ? next : undefined;
    while (child.id && twin && next && next !== twin && !stays.has(next)) next = remove(next);
    if (twin && next === twin) next = twin.nextSibling;
    else held.insertBefore(twin ?? child, next);
    if (twin) morph(twin, child);
  }
  while (next) next = remove(next);
}

function remove(node) {
  const following = node.nextSibling;
  node.remove();
  return following;
}

function say(id, text) {
  const place = document.getElementById(id);
  if (place.textContent !== text) place.textContent = text;
}

async function refresh(held) {
  try {
    const answer = await fetch(held.dataset.live, { signal: AbortSignal.timeout(TIMEOUT) });
    if (answer.redirected) return location.reload(); // the session has ended
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = parsed.getElementById(held.id);
    // Only a change of state is announced, not every number.
    if (fresh.dataset.level !== held.dataset.level) say("said", fresh.dataset.said);
    document.title = `${fresh.dataset.said} · smelt`;
    morph(held, document.adoptNode(fresh));
    say("lost", "");
  } catch {
    say("lost", "The console does not answer. The data shown is outdated; retrying every 2 seconds.");
  }
}

let timer;

async function tick() {
  clearTimeout(timer);
  const held = document.querySelector("[data-live]");
  if (document.hidden || !held) return;
  await refresh(held);
  clearTimeout(timer);
  timer = setTimeout(tick, EVERY);
}

document.addEventListener("visibilitychange", tick);
timer = setTimeout(tick, EVERY);
