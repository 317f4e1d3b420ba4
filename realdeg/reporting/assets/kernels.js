// Kernels: red above zero, blue below, white at zero; the contour of half the peak, the centre.
const unpack = (stack) => {
  const text = atob(stack.values);
  return Int8Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
};
const RED = [178, 24, 43];
const BLUE = [33, 102, 172];
const colourOf = (share) => {
  const end = share < 0 ? BLUE : RED;
  const amount = Math.sqrt(Math.min(1, Math.abs(share))); // faint taps stay visible
  return `rgb(${end.map((one) => Math.round(255 + (one - 255) * amount)).join(",")})`;
};

// Draw kernel `index` of a stack; `span` is the value of full colour.
const drawKernel = (canvas, values, stack, index, span) => {
  const { size } = stack;
  const cell = Math.max(4, Math.floor(240 / size));
  canvas.width = canvas.height = size * cell;
  const context = canvas.getContext("2d");
  const at = (row, column) => (row < 0 || column < 0 || row >= size || column >= size
    ? 0 : (values[(index * size + row) * size + column] / 127) * stack.peaks[index]);
  let peak = 0;
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      peak = Math.max(peak, at(row, column));
      context.fillStyle = colourOf(at(row, column) / span);
      context.fillRect(column * cell, row * cell, cell, cell);
    }
  }
  context.strokeStyle = "#111";
  context.lineWidth = Math.max(1, cell / 8);
  context.beginPath();
  const inside = (row, column) => peak > 0 && at(row, column) >= peak / 2;
  for (let row = 0; row <= size; row += 1) {
    for (let column = 0; column <= size; column += 1) {
      if (inside(row, column) !== inside(row - 1, column)) {
        context.moveTo(column * cell, row * cell);
        context.lineTo((column + 1) * cell, row * cell);
      }
      if (inside(row, column) !== inside(row, column - 1)) {
        context.moveTo(column * cell, row * cell);
        context.lineTo(column * cell, (row + 1) * cell);
      }
    }
  }
  const middle = (size / 2 + stack.rest) * cell;
  context.moveTo(middle - cell / 2, middle);
  context.lineTo(middle + cell / 2, middle);
  context.moveTo(middle, middle - cell / 2);
  context.lineTo(middle, middle + cell / 2);
  context.stroke();
};

class Kernels {
  constructor(box) {
    this.spec = data.fields[Number(box.dataset.kernels)];
    this.stage = box.querySelector(".stage");
    this.row = Math.floor(this.spec.rows / 2);
    this.column = Math.floor(this.spec.columns / 2);
    this.lens = make("div", { className: "lens" });
    this.words = make("p", { className: "reading", role: "status" });
    this.models = Object.entries(this.spec.models).map(([name, stack]) => {
      const canvas = make("canvas", { role: "img" });
      const caption = make("figcaption");
      return { name, stack, values: unpack(stack), canvas, caption, figure: make("figure", {}, canvas, caption) };
    });
    const side = make("div", {}, make("div", { className: "models" }, ...this.models.map((one) => one.figure)), this.words);
    this.stage.append(this.lens);
    this.stage.after(side);
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-label", "choose a place by arrow keys: its kernels are drawn beside the image");
    this.stage.addEventListener("pointermove", (event) => this.follow(event));
    this.stage.addEventListener("pointerdown", (event) => this.follow(event));
    this.stage.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!by) return;
      event.preventDefault();
      this.go(this.row + by[0], this.column + by[1]);
    });
    this.go(this.row, this.column);
  }

  follow(event) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    this.go(Math.floor(((event.clientY - top) / height) * this.spec.rows), Math.floor(((event.clientX - left) / width) * this.spec.columns));
  }

  go(row, column) {
    const { rows, columns } = this.spec;
    this.row = clamp(row, 0, rows - 1);
    this.column = clamp(column, 0, columns - 1);
    const index = this.row * columns + this.column;
    Object.assign(this.lens.style, {
      left: `${(100 * this.column) / columns}%`, top: `${(100 * this.row) / rows}%`,
      width: `${100 / columns}%`, height: `${100 / rows}%`,
    });
    const span = Math.max(...this.models.map((one) => one.stack.peaks[index]), 1e-12);
    const words = this.models.map(({ name, stack, values, canvas, caption }) => {
      drawKernel(canvas, values, stack, index, span);
      const text = `sum ${stack.sums[index].toFixed(3)}, width ${stack.widths[index].toFixed(2)} px`;
      canvas.setAttribute("aria-label", `kernel of ${name}: ${text}`);
      caption.replaceChildren(make("b", {}, name), make("br"), text);
      return `${name}: ${text}`;
    });
    this.words.textContent = `Cell ${this.row + 1} of ${rows} down, ${this.column + 1} of ${columns} across; full colour is ±${short(span)}. `;
    this.words.append(make("span", { className: "spoken" }, words.join("; ")));
  }
}
document.querySelectorAll(".kernels").forEach((box) => new Kernels(box));

document.querySelectorAll(".kernel").forEach((box) => {
  const stack = data.bases[Number(box.dataset.basis)];
  const index = Number(box.dataset.index);
  const canvas = make("canvas", { role: "img", "aria-label": `kernel ${index + 1} of the basis` });
  drawKernel(canvas, unpack(stack), stack, index, stack.peaks[index] || 1);
  box.append(canvas);
});
