// The page: what is asked is in the form and in the address; what is shown comes from the API, and is only ever text.

import { background, bars, map, number, outside } from "/static/plots.js";

const PAUSE = 300; // ms without a key before what was typed is searched
const form = document.getElementById("search");
const list = document.getElementById("list");
const more = document.getElementById("more");
const end = document.getElementById("end");
const summary = document.getElementById("summary");
const dialog = document.getElementById("posting");
const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: 0 });
const days = new Intl.DateTimeFormat("en-US", { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" });
const dates = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric", timeZone: "UTC" });
const months = new Intl.DateTimeFormat("en-US", { year: "numeric", month: "short", timeZone: "UTC" });

let asking = new AbortController();
let backdrop = [];
let circle = null;
let held = 0;
let next = null;
let searched = "";

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

async function ask(path, asked = {}, signal = undefined) {
  const query = new URLSearchParams(asked).toString();
  const answer = await fetch(query ? `${path}?${query}` : path, { signal });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  throw new Error(typeof body.detail === "string" ? body.detail : (body.detail?.[0]?.msg ?? `no answer (${answer.status})`));
}

function asked() {
  const given = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
  if (!given.near) delete given.radius;
  return given;
}

function filters() {
  const { sort: _, ...rest } = asked();
  return rest;
}

// What was typed is searched while it is typed: leaving the field must not search for the same again.
function searchOther() {
  if (JSON.stringify(asked()) !== searched) search();
}

async function search() {
  searched = JSON.stringify(asked());
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  document.body.classList.add("asking");
  remember();
  const total = ask("/v1/stats/summary", filters(), signal);
  const found = ask("/v1/postings", asked(), signal);
  await Promise.all([
    shown("summary", [found, total], (page, all) => {
      held = all.postings;
      list.replaceChildren();
      show(page);
      showSummary(all, page);
    }),
    shown("pay", [ask("/v1/stats/pay", filters(), signal), total], showPay),
    shown("timeline", [ask("/v1/stats/timeline", filters(), signal)], showTimeline),
    shown("map", [ask("/v1/stats/places", filters(), signal), around(found)], showMap),
  ]);
  if (!signal.aborted) document.body.classList.remove("asking");
}

// Each part of the page by itself: one that has no answer says so, and the others are there.
async function shown(id, answers, show) {
  try {
    show(...(await Promise.all(answers)));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (id === "summary") complain(error);
    else plot(id, false, null, error.message);
  }
}

function complain(error) {
  summary.className = "problem";
  summary.textContent = error.message;
}

function remember() {
  const query = new URLSearchParams(asked());
  if (!form.open.checked) query.set("open", "any");
  history.replaceState(null, "", query.size ? `?${query}` : "/");
  for (const form of ["csv", "json", "parquet"]) {
    document.getElementById(form).href = `/v1/export?${new URLSearchParams({ ...filters(), format: form })}`;
  }
}

function recall() {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of query) if (form.elements[name] && name !== "open" && name !== "remote") form.elements[name].value = value;
  form.remote.checked = query.get("remote") === "true";
  form.open.checked = query.get("open") !== "any";
}

function showSummary(total, page) {
  summary.className = "";
  const looksLike = page.matched === "titles" && page.postings.length;
  summary.replaceChildren(
    ...(looksLike
      ? ["No posting has these words. These have similar titles."]
      : [element("strong", {}, number.format(total.postings)), total.postings === 1 ? " posting" : " postings"]),
  );
  if (looksLike || !total.postings) return;
  const pay = total.pay ? `, half of them pay more than ${dollars.format(total.pay[1])}` : "";
  const place = page.near && page.near.name.toLowerCase() !== form.near.value.trim().toLowerCase() ? ` near ${page.near.name}` : "";
  summary.append(`${place} of ${number.format(total.agencies)} ${total.agencies === 1 ? "agency" : "agencies"}${pay}.`);
}

function show(page) {
  next = page.next;
  more.hidden = !next;
  list.append(...page.postings.map(card));
  const shown = list.children.length;
  const cut = !next && page.matched === "words" && shown < held;
  end.textContent = cut ? `These are the ${number.format(shown)} that fit best. Another order leads through all ${number.format(held)}.` : "";
}

function card(posting) {
  const title = element("button", { type: "button", class: "title" }, posting.title);
  title.addEventListener("click", () => open(posting.control_number));
  const where = posting.places > 1 ? `${posting.location} (${number.format(posting.places)} places)` : posting.location;
  const miles = posting.miles == null ? "" : ` · ${posting.miles.toFixed(0)} miles`;
  return element(
    "li",
    {},
    element("h3", {}, title),
    element("p", { class: "agency" }, posting.agency ?? "agency not known"),
    element("p", { class: "where" }, `${where ?? "place not known"}${miles}`),
    element("p", { class: "pay" }, payOf(posting)),
    element("p", { class: "chips" }, ...chips(posting)),
  );
}

// Where the code lists are not loaded yet, the interval of pay is still a code.
const INTERVALS = { PA: "per year", PH: "per hour", PD: "per day", BW: "bi-weekly", PM: "per month" };

function payOf({ pay_minimum: low, pay_maximum: high, pay_interval: interval }) {
  if (!high) return "pay not said";
  const amounts = low === high ? dollars.format(high) : `${dollars.format(low)} – ${dollars.format(high)}`;
  return `${amounts} ${INTERVALS[interval] ?? (interval ?? "").toLowerCase()}`;
}

function chips(posting) {
  const grades = [...new Set([posting.grade_low, posting.grade_high].filter(Boolean))].join("–");
  const left = posting.closes_on ? Math.round((Date.parse(posting.closes_on) - Date.now()) / 86_400_000 + 0.5) : null;
  const until = left === null ? "open" : left <= 0 ? "last day" : left === 1 ? "1 day left" : `${number.format(left)} days left`;
  const state = posting.is_open ? ["chip open", until] : ["chip", `closed ${day(posting.ended_on)}`];
  return [
    element("span", { class: `${state[0]}${posting.is_open && left !== null && left <= 3 ? " soon" : ""}` }, state[1]),
    posting.is_remote ? element("span", { class: "chip" }, "remote") : null,
    posting.pay_plan ? element("span", { class: "chip" }, grades ? `${posting.pay_plan} ${grades}` : posting.pay_plan) : null,
  ];
}

function showMap(places, near) {
  const figure = document.getElementById("map");
  const named = new Map();
  for (const { name, postings } of places) named.set(name, (named.get(name) ?? 0) + postings);
  const busiest = element("ul", { class: "busiest", "aria-label": "Busiest places" });
  for (const [name, postings] of [...named].sort(([, one], [, other]) => other - one).slice(0, 6)) {
    const choice = element("button", { type: "button" }, `${name} `, element("b", {}, number.format(postings)));
    choice.addEventListener("click", () => choose(name));
    busiest.append(element("li", {}, choice));
  }
  const elsewhere = near ? 0 : outside(places);
  if (elsewhere) busiest.append(element("li", {}, `elsewhere ${number.format(elsewhere)}`));
  circle = near;
  figure.replaceChildren(figure.firstElementChild, map(places, backdrop, near, choose), busiest);
}

// The circle that is searched, where one is.
async function around(found) {
  const near = form.near.value.trim();
  if (!near) return null;
  const point = near.match(/^(-?[\d.]+)\s*,\s*(-?[\d.]+)$/)?.slice(1).map(Number);
  const place = (await found).near;
  const [latitude, longitude] = point ?? [place?.latitude, place?.longitude];
  return latitude === undefined ? null : { latitude, longitude, miles: Number(form.radius.value) };
}

function choose(name) {
  form.near.value = name;
  search();
}

function showPay(bins, total) {
  const width = 10_000;
  const last = bins.length ? Math.min(bins.at(-1).dollars / width, 40) : 0;
  const first = bins.length ? bins[0].dollars / width : 0;
  const counts = Array(last - first + 1).fill(0);
  for (const bin of bins) counts[bin.dollars / width - first] = bin.postings;
  const from = (index) => (first + index) * width;
  const titles = counts.map((count, index) => `${dollars.format(from(index))} to ${dollars.format(from(index + 1))}: ${number.format(count)}`);
  const every = Math.ceil(counts.length / 6);
  const labels = counts.map((_, index) => [index, `$${from(index) / 1000}k`]).filter(([index]) => index % every === 0);
  const marks = total.pay ? [[Math.min(total.pay[1] / width - first, counts.length), `median ${dollars.format(total.pay[1])}`]] : [];
  plot("pay", bins.length, () => bars(counts, `Pay: ${marks.length ? marks[0][1] : "not known"}`, titles, labels, marks));
}

function showTimeline(slots) {
  const monthly = slots[0]?.step === "month";
  const name = (slot) => (monthly ? months : days).format(new Date(slot.from_day));
  const titles = slots.map((slot) => `${monthly ? "" : "week of "}${name(slot)}: ${number.format(slot.postings)}`);
  const every = Math.ceil(slots.length / 4);
  const under = (slot) => (monthly ? months : dates).format(new Date(slot.from_day));
  const labels = slots.map((slot, index) => [index, under(slot)]).filter(([index]) => index % every === 0);
  const spoken = slots.length ? `Postings opened, ${name(slots[0])} to ${name(slots.at(-1))}` : "Postings opened: none";
  plot("timeline", slots.length, () => bars(slots.map((slot) => slot.postings), spoken, titles, labels));
}

function plot(id, some, draw, otherwise = "nothing to draw") {
  const figure = document.getElementById(id);
  figure.replaceChildren(figure.firstElementChild, some ? draw() : element("p", { class: "none" }, otherwise));
}

function day(text) {
  return text ? days.format(new Date(text)) : "";
}

async function open(controlNumber) {
  try {
    dialog.replaceChildren(...details(await ask(`/v1/postings/${controlNumber}`)));
    dialog.showModal();
  } catch (error) {
    complain(error);
  }
}

function details(posting) {
  const close = element("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  close.addEventListener("click", () => dialog.close());
  const facts = {
    Pay: payOf(posting),
    Series: posting.series.map((code, index) => `${code} ${posting.series_names[index] ?? ""}`).join(", "),
    Opened: day(posting.opened_on),
    Closes: day(posting.closes_on),
    Schedule: posting.schedules.join(", "),
    Kind: posting.offering_types.join(", "),
    "Open to": posting.hiring_paths.join(", ") || posting.who_may_apply,
    Clearance: posting.security_clearance,
    Openings: posting.openings,
    Places: placesOf(posting),
  };
  const rows = Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return [
    close,
    element("h2", { id: "posting-title" }, posting.title),
    element("p", { class: "agency" }, [posting.agency, posting.department].filter(Boolean).join(" · ")),
    element("p", {}, posting.summary ?? ""),
    element("dl", {}, ...rows),
    /^https:\/\//.test(posting.url ?? "") ? element("p", {}, element("a", { href: posting.url, rel: "noreferrer" }, "The announcement on usajobs.gov")) : null,
    ...history_of(posting),
    element("h3", {}, "Where this is from"),
    element("ul", { class: "lineage" }, ...posting.lineage.map(lineage)),
  ].filter(Boolean);
}

function placesOf({ locations, places }) {
  const names = [...new Set(locations.map((place) => place.name).filter(Boolean))];
  const left = places - Math.min(names.length, 12);
  return names.slice(0, 12).join("; ") + (left > 0 ? `; and ${number.format(left)} more` : "");
}

function history_of({ history }) {
  const changes = history.filter((version) => version.changes);
  if (!changes.length) return [];
  const items = changes.map((version) => {
    const what = Object.entries(version.changes).map(([field, [before, after]]) => {
      const words = `${field.replaceAll("_", " ")}: ${short(before)} → ${short(after)}`;
      return element("li", {}, words);
    });
    return element("li", {}, day(version.seen_at), element("ul", {}, ...what));
  });
  return [element("h3", {}, "What has changed"), element("ul", {}, ...items)];
}

function short(value) {
  const text = typeof value === "string" ? value : value === null || value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function lineage(from) {
  const when = `${from.source}, seen ${day(from.first_seen_at)} to ${day(from.last_seen_at)}`;
  return element("li", {}, when, element("code", {}, `s3://${from.bucket}/${from.key}`));
}

function later(action) {
  let waiting;
  return (...given) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => action(...given), PAUSE);
  };
}

async function suggest() {
  const typed = form.near.value.trim();
  if (typed.length < 2 || /^[-\d]/.test(typed)) return;
  const places = await ask("/v1/places", { q: typed }).catch(() => []);
  document.getElementById("places").replaceChildren(...places.map((place) => element("option", { value: place.name })));
}

async function begin() {
  recall();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  form.addEventListener("change", searchOther);
  form.q.addEventListener("input", later(searchOther));
  form.near.addEventListener("input", later(suggest));
  more.addEventListener("click", async () => {
    const { length } = list.children;
    try {
      show(await ask("/v1/postings", { ...asked(), cursor: next }));
      list.children[length]?.querySelector("button").focus();
    } catch (error) {
      complain(error);
    }
  });
  await search();
  const [places, agencies, fresh] = await Promise.all(
    ["/v1/stats/places", "/v1/stats/agencies", "/v1/freshness"].map((path) => ask(path).catch(() => [])),
  );
  backdrop = places;
  document.getElementById("agencies").replaceChildren(...agencies.map(({ agency }) => element("option", { value: agency })));
  const gold = fresh.find((one) => one.what === "gold");
  if (gold) document.getElementById("fresh").textContent = `as of ${new Date(gold.refreshed_at).toLocaleString("en-US", { dateStyle: "medium", timeStyle: "short" })}`;
  drawBackdrop();
}

// The rest of the country behind what was found, as soon as it is known.
function drawBackdrop() {
  const group = document.querySelector("#map .backdrop");
  if (group) group.replaceWith(background(backdrop, circle));
}

begin();
