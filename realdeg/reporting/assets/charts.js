// Curves: SVG that is drawn for the width at hand; a slider for assistive technology.
const SVG = "http://www.w3.org/2000/svg";
const DASHES = ["", "6 3", "2 3", "9 3 2 3"];
const draw = (name, settings, ...content) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(settings)) element.setAttribute(key, value);
  element.append(...content);
  return element;
};
const short = (value) => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(5)));
};
const paint = (colour) => (colour < 0 ? "reference" : `s${colour % 7}`);
const dash = (colour) => DASHES[Math.floor(Math.max(colour, 0) / 7) % DASHES.length];

const ticks = (low, high, count) => {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= raw) || 10);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) {
    found.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  }
  return found;
};
const powers = (low, high) => {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    const fine = high / low < 30 ? [1, 2, 5] : [1];
    for (const one of fine) {
      const value = one * 10 ** power;
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found.length > 1 ? found : ticks(low, high, 4);
};
// The index of the value nearest to a place in a rising list.
const nearest = (list, place) => {
  let low = 0;
  let high = list.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (list[middle] < place) low = middle; else high = middle;
  }
  return place - list[low] <= list[high] - place ? low : high;
};

class Chart {
  constructor(figure) {
    this.spec = data.charts[Number(figure.dataset.chart)];
    this.box = figure.querySelector(".plot");
    this.log = this.spec.log;
    this.hidden = new Set();
    this.steps = [...new Set(this.spec.series.flatMap((one) => one.x))].sort((a, b) => a - b);
    this.full = [this.steps[0] ?? 0, this.steps[this.steps.length - 1] ?? 1];
    this.range = [...this.full];
    this.at = this.steps.length - 1;
    this.pointing = false;
    Object.entries({
      tabindex: 0, role: "slider", "aria-label": `${this.spec.title} by ${this.spec.x}`,
      "aria-valuemin": this.full[0], "aria-valuemax": this.full[1],
      "aria-keyshortcuts": "ArrowLeft ArrowRight Home End + - 0",
    }).forEach(([key, value]) => this.box.setAttribute(key, value));
    this.reading = make("div", { className: "reading" });
    figure.append(this.reading, this.legend(), this.tools());
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  legend() {
    const entries = this.spec.series.map((one, index) => {
      const box = make("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        if (box.checked) this.hidden.delete(index); else this.hidden.add(index);
        this.draw();
      });
      const line = draw("line", {
        x1: 0, x2: 26, y1: 4, y2: 4, class: `line ${paint(one.colour)}`, "stroke-dasharray": dash(one.colour),
      });
      return make("label", {}, box, draw("svg", { "aria-hidden": "true" }, line), one.name);
    });
    return make("div", { className: "key" }, ...entries);
  }

  tools() {
    const button = (text, label, action) => {
      const made = make("button", { type: "button", "aria-label": `${label}: ${this.spec.title}` }, text);
      made.addEventListener("click", action);
      return made;
    };
    const log = button("log", "logarithmic axis", () => {
      this.log = !this.log;
      log.setAttribute("aria-pressed", this.log);
      this.draw();
    });
    log.setAttribute("aria-pressed", this.log);
    log.disabled = this.spec.series.some((one) => one.y.some((value) => value <= 0));
    const parts = [
      log,
      button("+", "zoom in", () => this.zoom(0.5)),
      button("−", "zoom out", () => this.zoom(2)),
      button("All", "show everything", () => this.show(this.full)),
      button("Save CSV", "save the values", () => this.saveValues()),
    ];
    if (this.spec.thinned) parts.push(make("span", { className: "hint" }, this.spec.thinned));
    return make("div", { className: "tools" }, ...parts);
  }

  saveValues() {
    const quoted = (text) => `"${text.replace(/^[=+@\t\r-]/, "'$&").replace(/"/g, '""')}"`;
    const rows = [["series", this.spec.x, this.spec.title].map(quoted).join(",")];
    for (const one of this.spec.series) {
      one.x.forEach((x, index) => rows.push([quoted(one.name), x, one.y[index]].join(",")));
    }
    const name = this.spec.title.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "") || "curve";
    save(`${name}.csv`, `${rows.join("\r\n")}\r\n`, "text/plain;charset=utf-8");
  }

  zoom(factor) {
    const middle = clamp(this.steps[this.at] ?? 0, ...this.range);
    const half = ((this.range[1] - this.range[0]) * factor) / 2;
    this.show([middle - half, middle + half]);
  }

  show([low, high]) {
    const least = (this.full[1] - this.full[0]) / 500 || 1;
    if (high - low < least) return;
    const width = Math.min(high - low, this.full[1] - this.full[0] || 1);
    const start = clamp(low, this.full[0], Math.max(this.full[0], this.full[1] - width));
    this.range = [start, start + width];
    this.draw();
  }

  step(by) {
    const inside = (index) => this.steps[index] >= this.range[0] && this.steps[index] <= this.range[1];
    const next = clamp(this.at + by, 0, this.steps.length - 1);
    this.at = next;
    if (!inside(next)) {
      const half = (this.range[1] - this.range[0]) / 2;
      this.show([this.steps[next] - half, this.steps[next] + half]);
    }
    this.pointing = true;
    this.point();
  }

  listen() {
    const { box } = this;
    const place = (event) => {
      const { left, width } = box.getBoundingClientRect();
      const share = (event.clientX - left - this.inner.left) / (width - this.inner.left - this.inner.right);
      return this.range[0] + clamp(share, 0, 1) * (this.range[1] - this.range[0]);
    };
    box.addEventListener("pointermove", (event) => {
      this.at = nearest(this.steps, place(event));
      this.pointing = true;
      this.dragged = this.from === undefined ? undefined : [this.from, place(event)].sort((a, b) => a - b);
      this.point();
    });
    box.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse") return;
      this.from = place(event);
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointerup", () => {
      const { dragged } = this;
      this.from = this.dragged = undefined;
      if (dragged && dragged[1] - dragged[0] > (this.range[1] - this.range[0]) / 50) this.show(dragged);
      else this.point();
    });
    box.addEventListener("pointerleave", () => { if (this.from === undefined) { this.pointing = false; this.point(); } });
    box.addEventListener("dblclick", () => this.show(this.full));
    box.addEventListener("focus", () => { this.pointing = true; this.point(); });
    box.addEventListener("blur", () => { this.pointing = false; this.point(); });
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const far = Math.max(1, Math.round(this.steps.length / 10));
      const actions = {
        ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
        ArrowDown: () => this.step(-1), ArrowUp: () => this.step(1),
        PageDown: () => this.step(-far), PageUp: () => this.step(far),
        Home: () => this.step(-this.steps.length), End: () => this.step(this.steps.length),
        "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
        0: () => this.show(this.full),
      };
      if (!(event.key in actions)) return;
      event.preventDefault();
      actions[event.key]();
    });
  }

  draw() {
    const { width, height } = this.box.getBoundingClientRect();
    if (!width || !this.steps.length) return;
    const shown = this.spec.series.map((one, index) => ({ ...one, index })).filter((one) => !this.hidden.has(one.index));
    const values = shown.flatMap((one) => one.y.filter((_, i) => one.x[i] >= this.range[0] && one.x[i] <= this.range[1]));
    let low = values.length ? Math.min(...values) : 0;
    let high = values.length ? Math.max(...values) : 1;
    if (low === high) { const room = Math.abs(low) * 0.05 || 1; if (!this.log) low -= room; high += room; }
    const up = this.log ? Math.log10 : (value) => value;
    const margin = (up(high) - up(low)) * 0.06;
    const limits = [up(low) - margin, up(high) + margin];
    const back = (value) => (this.log ? 10 ** value : value);
    const marks = this.log ? powers(back(limits[0]), back(limits[1])) : ticks(limits[0], limits[1], 5);
    const widest = Math.max(...marks.map((mark) => short(mark).length), 3);
    this.inner = { left: widest * 6.6 + 10, right: 12, top: 8, bottom: 34 };
    const { left, right, top, bottom } = this.inner;
    const span = this.range[1] - this.range[0] || 1;
    this.toX = (x) => left + ((x - this.range[0]) / span) * (width - left - right);
    this.toY = (y) => height - bottom - ((up(y) - limits[0]) / (limits[1] - limits[0] || 1)) * (height - top - bottom);
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    for (const mark of marks) {
      const y = this.toY(mark);
      svg.append(
        draw("line", { x1: left, x2: width - right, y1: y, y2: y, class: "grid" }),
        draw("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, short(mark)),
      );
    }
    const across = this.full[0] === this.full[1] ? [this.full[0]] : ticks(...this.range, Math.max(2, Math.floor(width / 90)));
    for (const mark of across) {
      svg.append(draw("text", { x: this.toX(mark), y: height - bottom + 16, "text-anchor": "middle" }, short(mark)));
    }
    svg.append(draw("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, this.spec.x));
    const clip = `clip-${data.charts.indexOf(this.spec)}`;
    svg.append(draw("clipPath", { id: clip }, draw("rect", { x: left, y: 0, width: Math.max(0, width - left - right), height: height - bottom + 2 })));
    const lines = draw("g", { "clip-path": `url(#${clip})` });
    for (const one of shown) {
      const path = one.x.map((x, i) => `${i ? "L" : "M"}${this.toX(x).toFixed(1)} ${this.toY(one.y[i]).toFixed(1)}`).join("");
      lines.append(draw("path", { d: path, class: `line ${paint(one.colour)}`, "stroke-dasharray": dash(one.colour) }));
      if (one.x.length <= 30) {
        one.x.forEach((x, i) => lines.append(draw("circle", { cx: this.toX(x), cy: this.toY(one.y[i]), r: 2.6, class: `dot ${paint(one.colour)}` })));
      }
    }
    this.over = draw("g", { "clip-path": `url(#${clip})` });
    svg.append(lines, this.over);
    this.box.replaceChildren(svg);
    this.size = { width, height };
    this.point();
  }

  // Show the values at the pointer, of each curve at its own nearest step.
  point() {
    const step = this.steps[this.at];
    const words = [];
    this.over?.replaceChildren();
    this.spec.series.forEach((one, index) => {
      if (this.hidden.has(index) || !one.x.length) return;
      const i = nearest(one.x, step);
      const aside = one.x[i] === step ? "" : ` (at ${short(one.x[i])})`;
      words.push(`${this.spec.series.length > 1 ? `${one.name} ` : ""}${short(one.y[i])}${aside}`);
      if (this.pointing && this.over) {
        this.over.append(draw("circle", { cx: this.toX(one.x[i]), cy: this.toY(one.y[i]), r: 4.5, class: `dot ${paint(one.colour)}` }));
      }
    });
    const text = `${this.spec.x} ${short(step ?? 0)}: ${words.join(" · ")}`;
    this.reading.textContent = this.steps.length ? text : "";
    this.box.setAttribute("aria-valuenow", step ?? 0);
    this.box.setAttribute("aria-valuetext", text);
    if (!this.over || !this.pointing) return;
    const { top, bottom } = this.inner;
    const bottomY = this.size.height - bottom;
    this.over.prepend(draw("line", { x1: this.toX(step), x2: this.toX(step), y1: top, y2: bottomY, class: "pointer" }));
    if (this.dragged) {
      const [from, to] = this.dragged.map(this.toX);
      this.over.prepend(draw("rect", { x: from, y: top, width: Math.max(0, to - from), height: bottomY - top, class: "range" }));
    }
  }
}
document.querySelectorAll("figure.chart").forEach((figure) => new Chart(figure));
