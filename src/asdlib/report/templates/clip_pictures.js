// What all drawings need, and the pictures of one clip: in which frequencies, and when, it differs from training clips.
// A clip is a number in the lists of a section.
const SVG = "http://www.w3.org/2000/svg";
const SMALL = 90; // pixels

const draw = (parent, name, attributes, text) => {
  const part = parent.appendChild(document.createElementNS(SVG, name));
  Object.entries(attributes).forEach(([key, value]) => part.setAttribute(key, value));
  if (text !== undefined) part.textContent = text;
  return part;
};
const write = (parent, name, text) => {
  const part = parent.appendChild(document.createElement(name));
  part.textContent = text;
  return part;
};

// Return a drawing with a caption and its width; both in pixels, as it is on the page.
const newFigure = (parent, label, height, role = "group") => {
  const figure = write(parent, "figure", "");
  const width = figure.clientWidth;
  const svg = draw(figure, "svg", { viewBox: `0 0 ${width} ${height}`, role, "aria-label": label });
  write(figure, "figcaption", label).setAttribute("aria-hidden", true); // screen readers have read it already
  return [svg, width];
};

// Draw values from low to high frequencies. `text` says what they are; part `most` is highlighted.
const bars = (parent, text, values, most) => {
  const high = Math.max(1, ...values), low = Math.min(0, ...values);
  const [svg, width] = newFigure(parent, text, SMALL, "img");
  const yOf = (value) => 4 + ((SMALL - 8) * (high - value)) / (high - low);
  values.forEach((value, part) => draw(svg, "rect", {
    class: part === most ? "bar most" : "bar", x: (width * part) / values.length + 1, width: width / values.length - 2,
    y: yOf(Math.max(value, 0)), height: Math.abs(yOf(value) - yOf(0)),
  }));
  draw(svg, "line", { x1: 0, x2: width, y1: yOf(0), y2: yOf(0) });
};

// Draw in which frequencies a clip is reconstructed worse than training clips.
const bandBars = (parent, { name, bands }, clip) => {
  const values = bands[clip], largest = Math.max(...values), most = values.indexOf(largest);
  const text = `Reconstruction error from low to high mel bands, in standard deviations of the training clips (${name}): `
    + `most in part ${most + 1} of ${values.length}, ${largest}`;
  bars(parent, text, values, most);
};

// Draw in which frequencies a clip is louder or quieter than its nearest training clips.
const levelBars = (parent, { name, view, parts, furthest }, clip) => {
  const values = parts[clip], sizes = values.map(Math.abs);
  const text = `Mean level from low to high frequencies (${view}), minus that of the nearest training clips by ${name}, `
    + `in units of the usual difference; louder is up. Largest: ${furthest[clip]}`;
  bars(parent, text, values, sizes.indexOf(Math.max(...sizes)));
};

// Draw when and in which frequencies a clip is reconstructed worse than training clips.
const errorMap = (sounds, { name, view, brightest, pictures }, clip) => {
  const before = `Reconstruction error (${name}, ${view}), times the mean of training clips: 1 or less`;
  below(sounds, view, pictures[clip], before, `${brightest} or more.`);
};

// Draw when and in which frequencies a clip is louder or quieter than its nearest training clips.
const distanceMap = (sounds, { name, view, neighbours, darkest, brightest, pictures }, clip) => {
  const before = `Difference in level (${view}) from the ${neighbours} nearest normal training clips by ${name}, `
    + `times the usual difference of training clips from theirs: ${darkest} or less`;
  below(sounds, view, pictures[clip], before, `${brightest} or more. This is not the model's score.`);
};

// Draw a map, if there is one, below the spectrogram of what the model has read, or else below that of the recording;
// the words are around its scale.
const below = (sounds, view, picture, before, after) => {
  const { source, alt, width, height } = picture ?? {};
  if (!source) return;
  const figures = [...sounds.querySelectorAll("figure[data-view]")];
  const own = figures.find((one) => one.dataset.view === view);
  const part = document.createElement("div");
  part.className = "errors";
  Object.assign(write(part, "img", ""), { src: source, alt, width, height });
  const legend = write(part, "p", `${before} `);
  write(legend, "span", "").className = "scale";
  legend.append(` ${after}${own ? "" : ` Computed from ${view}, which has no player here.`}`);
  (own ?? figures[0]).querySelector("img").after(part);
};

// Write what a map of a clip shows, or why there is none.
const tellMap = (said, { name, pictures, nearest, flaw, lacks }, clip) => {
  const picture = pictures[clip], lack = lacks?.[clip];
  if (picture) write(said, "p", `${picture.alt}${nearest ? ` The nearest clip is ${nearest[clip]}.` : ""}`);
  if (lack) write(said, "p", `Compared with its nearest training clips by ${name}: ${lack}.`);
  if (flaw) write(said, "p", `There is no map of where it differs from its nearest training clips by ${name}: ${flaw}.`);
};
