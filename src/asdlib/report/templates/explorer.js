// The clips of a section by score: a click on a mark, or Enter, shows and plays its clip. The arrow keys move along the
// scores. Each plot is one stop of the Tab key.
const SHAPES = { normal: "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0", anomaly: "M0,-6L6,0L0,6L-6,0Z", unknown: "M-4,-4H4V4H-4Z" };
const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -Infinity, End: Infinity };
const BIN = 13, TALL = 180, WIDE = 300, MARGIN = 14; // pixels
const DIFFERENT = 5; // clips in the list of differences
const kindOf = (clip) => clip.label || "unknown";

// Return where the marks of a histogram are, each clip above those of its bin that come before it.
const stacked = (clips, scores, xOf) => {
  const counts = {};
  const order = [...clips.keys()].sort((a, b) => kindOf(clips[b]).localeCompare(kindOf(clips[a])));
  const levels = order.map((clip) => {
    const bin = Math.round(xOf(scores[clip]) / BIN);
    counts[bin] = (counts[bin] || 0) + 1;
    return [clip, bin * BIN, counts[bin]];
  });
  const step = Math.min(BIN, (TALL - MARGIN) / Math.max(...Object.values(counts)));
  const places = [];
  levels.forEach(([clip, x, level]) => { places[clip] = [x, TALL - step * (level - 0.5)]; });
  return places;
};

// Return all variants that have scored a section, of any system, with {clip: rank}.
const othersOf = (root) => [...document.querySelectorAll(".explorer")].flatMap((one) => {
  const { dataset, machine, section, system } = one.dataset, own = root.dataset;
  if (dataset !== own.dataset || machine !== own.machine || section !== own.section) return [];
  const { clips, variants } = JSON.parse(one.querySelector("script").textContent);
  return variants.map(({ variant, ranks }) => (
    { name: `${system}/${variant}`, ranks: new Map(clips.map(({ clip }, index) => [clip, ranks[index]])) }));
});

class Explorer {
  constructor(root) {
    this.root = root;
    Object.assign(this, JSON.parse(root.querySelector("script").textContent));
    const { dataset, machine, section } = root.dataset;
    this.cards = new Map();
    document.getElementById(`clips-${dataset}-${machine}`).querySelectorAll("article").forEach((card) => {
      if (card.dataset.section === section) this.cards.set(card.dataset.clip, card);
    });
    root.hidden = false;
    this.select = root.querySelector(".variant");
    this.variants.forEach((one) => write(this.select, "option", one.variant));
    this.select.addEventListener("change", () => { this.plot(); this.tell(); });
    this.others = othersOf(root);
    this.other = root.querySelector(".other");
    ["nothing", ...this.others.map((one) => one.name)].forEach((name) => write(this.other, "option", name));
    this.other.addEventListener("change", () => this.plot());
    this.other.closest("label").hidden = this.others.length < 2;
    this.plot();
    this.rankings();
  }

  // Make the names of ranked clips buttons. The tables follow the plots, up to the next section's.
  rankings() {
    for (let part = this.root.nextElementSibling; part?.querySelector(".ranking"); part = part.nextElementSibling) {
      part.querySelectorAll("td[data-clip]").forEach((cell) => {
        const { clip, variant } = cell.dataset;
        cell.textContent = "";
        write(cell, "button", clip).addEventListener("click", () => {
          this.select.value = variant;
          this.plot();
          this.choose(this.clips.findIndex((one) => one.clip === clip));
        });
      });
    }
  }

  plot() {
    this.own = this.variants[this.select.selectedIndex];
    this.order = [...this.clips.keys()].sort((a, b) => this.own.ranks[b] - this.own.ranks[a]);
    this.current = this.chosen ?? this.order.at(-1);
    const parent = this.root.querySelector(".plots");
    parent.replaceChildren();
    this.histogram(parent);
    this.maps.filter((map) => map.variants.includes(this.own.variant)).forEach((map) => this.map(parent, map));
    this.compare(parent);
  }

  // Draw the ranks of the clips for this variant and another one, and list those on which the two differ most.
  compare(parent) {
    const list = this.root.querySelector(".differences");
    list.replaceChildren();
    const other = this.others[this.other.selectedIndex - 1];
    if (!other) return;
    const count = this.clips.length, ranks = this.clips.map(({ clip }) => other.ranks.get(clip));
    const apart = (clip) => Math.abs(this.own.ranks[clip] - ranks[clip]);
    const known = this.order.filter((clip) => ranks[clip] !== undefined);
    const squares = known.reduce((sum, clip) => sum + apart(clip) ** 2, 0);
    const same = known.length > 1 && known.length === count ? (1 - (6 * squares) / (count * (count ** 2 - 1))).toFixed(2) : "–";
    const label = `Ranks for ${this.own.variant} (the most anomalous clips are right) and for ${other.name} (above); `
      + `rank correlation (Spearman) ${same}`;
    const [svg, width] = newFigure(parent, label, WIDE);
    const on = (rank, length) => MARGIN + ((length - 2 * MARGIN) * (count - rank)) / (count - 1 || 1);
    draw(svg, "line", { x1: MARGIN, y1: WIDE - MARGIN, x2: width - MARGIN, y2: MARGIN });
    this.marks(svg, this.clips.map((_, clip) => known.includes(clip) && [on(this.own.ranks[clip], width), WIDE - on(ranks[clip], WIDE)]));
    write(list, "p", `${this.own.variant} and ${other.name} differ most on these clips:`);
    const items = write(list, "ol", "");
    known.sort((a, b) => apart(b) - apart(a)).slice(0, DIFFERENT).forEach((clip) => {
      const button = write(write(items, "li", ""), "button", this.clips[clip].clip);
      button.addEventListener("click", () => this.choose(clip));
      button.after(` ${kindOf(this.clips[clip])}: rank ${this.own.ranks[clip]} and ${ranks[clip]} of ${count}`);
    });
  }

  histogram(parent) {
    const { variant, scores, threshold } = this.own;
    const label = `Scores of variant ${variant}; the dashed line is the decision threshold, ${threshold}`;
    const [svg, width] = newFigure(parent, label, TALL + 24);
    const low = Math.min(threshold, ...scores), high = Math.max(threshold, ...scores);
    const xOf = (score) => MARGIN + ((width - 2 * MARGIN) * (score - low)) / (high - low || 1);
    draw(svg, "line", { x1: 0, x2: width, y1: TALL, y2: TALL });
    draw(svg, "line", { class: "threshold", x1: xOf(threshold), x2: xOf(threshold), y1: 0, y2: TALL });
    draw(svg, "text", { x: 0, y: TALL + 16 }, low.toPrecision(4));
    draw(svg, "text", { x: width, y: TALL + 16, "text-anchor": "end" }, high.toPrecision(4));
    this.marks(svg, stacked(this.clips, scores, xOf));
  }

  map(parent, { name, places }) {
    const [svg, width] = newFigure(parent, `Map of ${name} by t-SNE`, TALL + 24);
    const across = (width - 2 * MARGIN) / 1000, up = (TALL + 24 - 2 * MARGIN) / 1000;
    this.marks(svg, places.map((place) => place && [MARGIN + across * place[0], TALL + 24 - MARGIN - up * place[1]]));
  }

  marks(svg, places) {
    const marks = [];
    this.order.forEach((clip, at) => {
      if (!places[clip]) return;
      const { clip: name } = this.clips[clip], kind = kindOf(this.clips[clip]), heard = this.cards.has(name);
      const label = `${name}, ${kind}, score ${this.own.scores[clip]}, rank ${this.own.ranks[clip]}${heard ? ", with sound" : ""}`;
      const mark = draw(svg, "path", {
        class: `mark ${kind} ${heard ? "heard" : ""}`, d: SHAPES[kind], role: "button", "aria-label": label,
        tabindex: clip === this.current ? 0 : -1, "aria-pressed": clip === this.chosen, "data-clip": clip,
        transform: `translate(${places[clip].map((place) => place.toFixed(1)).join(",")})`,
      });
      mark.addEventListener("click", () => this.choose(clip));
      marks.push(mark);
    });
    svg.addEventListener("keydown", (event) => this.key(event, marks));
  }

  key(event, marks) {
    const at = marks.indexOf(event.target);
    if (event.key in STEPS) {
      const next = marks[Math.max(0, Math.min(marks.length - 1, at + STEPS[event.key]))];
      event.target.setAttribute("tabindex", -1);
      next.setAttribute("tabindex", 0);
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") this.choose(Number(event.target.dataset.clip));
    else return;
    event.preventDefault();
  }

  choose(clip) {
    this.chosen = clip;
    this.root.querySelectorAll(".mark").forEach((mark) => mark.setAttribute("aria-pressed", Number(mark.dataset.clip) === clip));
    this.tell();
    this.root.querySelector(".chosen").scrollIntoView({ block: "nearest" });
    this.root.querySelector(".played audio")?.play().catch(() => {});
  }

  // Write what is known of the chosen clip; a screen reader reads it.
  tell() {
    if (this.chosen === undefined) return;
    const { clip, label, domain } = this.clips[this.chosen], own = this.own;
    const said = this.root.querySelector(".said"), sounds = this.root.querySelector(".played");
    said.replaceChildren();
    sounds.replaceChildren();
    write(write(said, "p", ""), "strong", clip);
    write(said, "p", `${label || "label unknown"}, ${domain ? `${domain} domain` : "domain unknown"}; variant ${own.variant}: `
      + `score ${own.scores[this.chosen]}, ${own.decisions[this.chosen] ? "above" : "not above"} the threshold ${own.threshold}; `
      + `rank ${own.ranks[this.chosen]} of ${this.clips.length} (1 is the most anomalous).`);
    const among = [["training clips", own.training, own.trained], ["normal test clips", own.normal, own.normals]];
    const shares = among.filter((one) => one[2]).map(([name, share, count]) => `${share[this.chosen]} % of the ${count} ${name}`);
    if (shares.length) write(said, "p", `Its score is higher than those of ${shares.join(" and ")}.`);
    const card = this.cards.get(clip);
    if (card) sounds.append(card.querySelector(".sounds").cloneNode(true));
    else write(said, "p", "This clip has no player on this page. The setting report.players chooses how many clips have one.");
    const used = (one) => one.variants.includes(own.variant);
    const errors = this.errors.filter(used), distances = this.distances.filter(used);
    [...errors, ...distances].forEach((one) => tellMap(said, one, this.chosen));
    if (card) [...errors].reverse().forEach((one) => errorMap(sounds, one, this.chosen));
    if (card) [...distances].reverse().forEach((one) => distanceMap(sounds, one, this.chosen));
    distances.filter((one) => one.parts[this.chosen]).forEach((one) => levelBars(sounds, one, this.chosen));
    this.maps.filter((map) => used(map) && map.bands?.[this.chosen]).forEach((map) => bandBars(sounds, map, this.chosen));
  }
}

const explore = () => document.querySelectorAll(".explorer[hidden]").forEach((root) => {
  if (!root.closest("details:not([open])")) new Explorer(root);
});
document.addEventListener("toggle", explore, true);
addEventListener("DOMContentLoaded", explore);
