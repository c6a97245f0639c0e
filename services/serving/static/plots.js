// Pictures as SVG, drawn from the API's answers. The outline of the country is that of its postings.

const NAMESPACE = "http://www.w3.org/2000/svg";
const RADIANS = Math.PI / 180;
export const number = new Intl.NumberFormat("en-US");

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Albers' equal-area conic projection, as atlases draw the United States; Alaska and Hawaii in corners of their own.
function albers(south, north, latitude, longitude, scale, x, y) {
  const [phi1, phi2, phi0] = [south, north, latitude].map((degrees) => degrees * RADIANS);
  const n = (Math.sin(phi1) + Math.sin(phi2)) / 2;
  const c = Math.cos(phi1) ** 2 + 2 * n * Math.sin(phi1);
  const rho = (phi) => Math.sqrt(c - 2 * n * Math.sin(phi)) / n;
  return (lat, lon) => {
    const turned = ((lon - longitude + 540) % 360) - 180;
    const theta = n * turned * RADIANS;
    const r = rho(lat * RADIANS);
    return [x + scale * r * Math.sin(theta), y + scale * (rho(phi0) - r * Math.cos(theta))];
  };
}

const COUNTRY = [
  { west: -125, east: -66, south: 24, north: 50, project: albers(29.5, 45.5, 37.5, -96, 1060, 400, 245) },
  { west: -180, east: -129, south: 51, north: 72, project: albers(55, 65, 62, -154, 370, 115, 415) },
  { west: -161, east: -154, south: 18, north: 23, project: albers(8, 18, 20.5, -157.5, 1060, 275, 450) },
];
const MILES_A_DEGREE = 69.09;

// Around a place there is no need for an atlas: a flat map with the circle in its middle.
function surroundings({ latitude, longitude, miles }) {
  const scale = (225 / miles) * MILES_A_DEGREE;
  const narrow = Math.cos(latitude * RADIANS);
  const [tall, wide] = [250 / scale, 400 / scale / narrow];
  const project = (lat, lon) => [400 + (lon - longitude) * narrow * scale, 250 - (lat - latitude) * scale];
  return [{ west: longitude - wide, east: longitude + wide, south: latitude - tall, north: latitude + tall, project }];
}

function frameOf({ latitude, longitude }, frames = COUNTRY) {
  return frames.find((one) => longitude >= one.west && longitude <= one.east && latitude >= one.south && latitude <= one.north);
}

function path(points) {
  return points.map((at) => at.map((value) => value.toFixed(1)).join(",")).join(" ");
}

// Parallels and meridians of a frame, so that a few dots have a place too.
function graticule({ west, east, south, north, project }) {
  const step = [1, 2, 5].find((degrees) => (north - south) / degrees <= 6) ?? 10;
  const [lines, parts] = [[], 24];
  for (let lat = Math.ceil(south / step) * step; lat <= north; lat += step) {
    lines.push(Array.from({ length: parts + 1 }, (_, part) => project(lat, west + ((east - west) * part) / parts)));
  }
  for (let lon = Math.ceil(west / (2 * step)) * 2 * step; lon <= east; lon += 2 * step) {
    lines.push(Array.from({ length: parts + 1 }, (_, part) => project(south + ((north - south) * part) / parts, lon)));
  }
  return svg("g", { class: "graticule" }, ...lines.map((points) => svg("polyline", { points: path(points) })));
}

function dot(place, frame, attributes) {
  const [x, y] = frame.project(place.latitude, place.longitude);
  return svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), ...attributes });
}

function dots(places, frames, attributes) {
  return places
    .map((place) => [place, frameOf(place, frames)])
    .filter(([, frame]) => frame)
    .map(([place, frame]) => [place, dot(place, frame, attributes(place))]);
}

export function background(places, near) {
  const frames = near ? surroundings(near) : COUNTRY;
  return svg("g", { class: "backdrop" }, ...dots(places, frames, () => ({ r: near ? 3 : 1.6 })).map(([, made]) => made));
}

export function map(places, backdrop, near, choose) {
  const frames = near ? surroundings(near) : COUNTRY;
  const most = Math.max(1, ...places.map((place) => place.postings));
  const picture = svg("svg", { viewBox: "0 0 800 500", role: "img", "aria-label": spoken(places) });
  picture.append(...frames.map(graticule), background(backdrop, near));
  if (near) picture.append(svg("circle", { class: "ring", cx: 400, cy: 250, r: 225 }));
  const sized = ({ postings }) => ({ r: (2 + 13 * Math.sqrt(postings / most)).toFixed(1), class: "dot" });
  for (const [place, made] of dots(places, frames, sized)) {
    made.append(svg("title", {}, `${place.name}: ${number.format(place.postings)}`));
    made.addEventListener("click", () => choose(place.name));
    picture.append(made);
  }
  return picture;
}

function spoken(places) {
  const [first] = places;
  return first ? `Map: most are in ${first.name}, ${number.format(first.postings)}` : "Map: none";
}

export function outside(places) {
  return places.filter((place) => !frameOf(place)).reduce((sum, place) => sum + place.postings, 0);
}

// Bars from zero; `labels` are [bar, text] under the axis, `marks` are [place among the bars, text] above.
export function bars(values, spokenText, titles, labels, marks = []) {
  const [width, height, foot, head] = [400, 220, 26, 20];
  const most = Math.max(1, ...values);
  const step = width / Math.max(1, values.length);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spokenText });
  values.forEach((value, index) => {
    const tall = ((height - foot - head) * value) / most;
    const bar = svg("rect", {
      class: "bar",
      x: (index * step + step * 0.08).toFixed(1),
      y: (height - foot - tall).toFixed(1),
      width: (step * 0.84).toFixed(1),
      height: tall.toFixed(1),
    });
    bar.append(svg("title", {}, titles[index]));
    picture.append(bar);
  });
  picture.append(svg("line", { class: "axis", x1: 0, x2: width, y1: height - foot, y2: height - foot }));
  for (const [place, label] of marks) {
    const x = (place * step).toFixed(1);
    picture.append(svg("line", { class: "mark", x1: x, x2: x, y1: head - 4, y2: height - foot }));
    picture.append(svg("text", { class: "marked", x, y: 11, "text-anchor": anchor(place / values.length) }, label));
  }
  for (const [index, label] of labels) {
    const place = values.length > 1 ? index / values.length : 0.5;
    picture.append(svg("text", { x: ((index + 0.5) * step).toFixed(1), y: height - 8, "text-anchor": anchor(place) }, label));
  }
  return picture;
}

function anchor(place) {
  return place < 0.12 ? "start" : place > 0.88 ? "end" : "middle";
}
