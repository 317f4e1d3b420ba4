// Before and after: a slider over two versions of an image, and a magnifier over all of them.
const LENS = 40; // HR pixels across
class Shot {
  constructor(box, gallery) {
    this.box = box;
    this.width = Number(box.dataset.width);
    this.height = Number(box.dataset.height);
    this.layers = [...box.querySelectorAll(".layer")].filter((one) => one.dataset.layer);
    if (this.layers.length < 2) return;
    const names = this.layers.map((one) => one.dataset.layer);
    const choose = (wanted, other) => (names.includes(wanted) ? wanted : names[other]);
    this.before = this.picker("left", names, choose(gallery.dataset.before, 0));
    this.after = this.picker("right", names, choose(gallery.dataset.after, names.length - 1));
    this.under = make("img", { alt: "" });
    this.over = make("img", { alt: "", className: "over" });
    this.left = make("span", { className: "name left" });
    this.right = make("span", { className: "name right" });
    const bar = make("div", { className: "bar" });
    this.stage = make("div", { className: "stage", role: "img" }, this.under, this.over, bar, this.left, this.right);
    this.slider = make("input", { type: "range", min: 0, max: 100, value: 50, step: 1 });
    this.slider.setAttribute("aria-label", "how much of the left image is shown");
    this.lensButton = make("button", { type: "button", "aria-pressed": "false" }, "Magnifier");
    const tools = make("div", { className: "tools" },
      make("label", {}, "left ", this.before), make("label", {}, "right ", this.after), this.lensButton);
    this.compare = make("div", { className: "compare" }, this.stage, this.slider, tools);
    box.querySelector(".layers").before(this.compare);
    this.slider.addEventListener("input", () => this.cut());
    [this.before, this.after].forEach((one) => one.addEventListener("change", () => this.show()));
    this.lensButton.addEventListener("click", () => this.magnify(!this.lens));
    this.drag();
    this.show();
    this.cut();
  }

  picker(side, names, chosen) {
    const list = make("select", {}, ...names.map((name) => make("option", { value: name, selected: name === chosen }, name)));
    list.setAttribute("aria-label", `version on the ${side}`);
    return list;
  }

  show() {
    const source = (name) => this.layers.find((one) => one.dataset.layer === name).querySelector("img");
    for (const [picture, list] of [[this.under, this.before], [this.over, this.after]]) {
      const image = source(list.value);
      picture.src = image.src;
      picture.width = this.width;
      picture.height = this.height;
      picture.classList.toggle("coarse", image.classList.contains("coarse"));
    }
    this.left.textContent = this.before.value;
    this.right.textContent = this.after.value;
    this.stage.setAttribute("aria-label", `left: ${this.before.value}, right: ${this.after.value}`);
    this.cut();
  }

  cut() {
    const share = Number(this.slider.value);
    this.stage.style.setProperty("--cut", `${share}%`);
    this.slider.setAttribute("aria-valuetext", `${share} % ${this.before.value}, ${100 - share} % ${this.after.value}`);
  }

  drag() {
    let held = false;
    const move = (event) => {
      const { left, top, width, height } = this.stage.getBoundingClientRect();
      const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height].map((share) => clamp(share, 0, 1));
      if (this.lens) this.enlarge(x, y);
      else if (held) { this.slider.value = Math.round(x * 100); this.cut(); }
    };
    this.stage.addEventListener("pointerdown", (event) => {
      held = true;
      this.stage.setPointerCapture(event.pointerId);
      event.preventDefault();
      move(event);
    });
    this.stage.addEventListener("pointermove", move);
    this.stage.addEventListener("pointerup", () => { held = false; });
    this.stage.addEventListener("pointercancel", () => { held = false; });
    this.stage.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!by || !this.lens) return;
      event.preventDefault();
      this.enlarge(clamp(this.place[0] + by[0] / 20, 0, 1), clamp(this.place[1] + by[1] / 20, 0, 1));
    });
  }

  // With the magnifier, the pictures below show the surroundings of the pointer.
  magnify(on) {
    this.lensButton.setAttribute("aria-pressed", on);
    this.lens?.remove();
    this.lens = on ? make("div", { className: "lens" }) : null;
    for (const layer of this.layers) {
      layer.querySelector("canvas")?.remove();
      layer.classList.toggle("magnified", on);
      if (on) layer.prepend(make("canvas", { width: 240, height: 240, role: "img", "aria-label": `${layer.dataset.layer}, enlarged` }));
    }
    if (on) {
      this.stage.append(this.lens);
      this.stage.tabIndex = 0;
      this.stage.setAttribute("role", "application");
      this.stage.setAttribute("aria-roledescription", "magnifier, moved by arrow keys");
      this.enlarge(...(this.place ?? [0.5, 0.5]));
      this.stage.focus();
    } else {
      this.stage.removeAttribute("tabindex");
      this.stage.removeAttribute("aria-roledescription");
      this.stage.setAttribute("role", "img");
    }
  }

  enlarge(x, y) {
    this.place = [x, y];
    const side = Math.min(LENS, this.width, this.height);
    const left = Math.round(clamp(x * this.width - side / 2, 0, this.width - side));
    const top = Math.round(clamp(y * this.height - side / 2, 0, this.height - side));
    const share = (value, whole) => `${(100 * value) / whole}%`;
    Object.assign(this.lens.style, {
      left: share(left, this.width), top: share(top, this.height),
      width: share(side, this.width), height: share(side, this.height),
    });
    for (const layer of this.layers) {
      const image = layer.querySelector("img");
      const canvas = layer.querySelector("canvas");
      const context = canvas.getContext("2d");
      const ratio = image.naturalWidth / this.width;
      context.imageSmoothingEnabled = false;
      context.drawImage(image, left * ratio, top * ratio, side * ratio, side * ratio, 0, 0, canvas.width, canvas.height);
    }
  }
}

// One image at a time; a printer gets all.
document.querySelectorAll(".gallery").forEach((gallery) => {
  const boxes = [...gallery.querySelectorAll(".shot")];
  boxes.forEach((box) => new Shot(box, gallery));
  if (boxes.length < 2) return;
  const buttons = boxes.map((box) => make("button", { type: "button" }, box.querySelector("h4").textContent.split(",")[0]));
  const choose = (chosen) => boxes.forEach((box, index) => {
    box.hidden = index !== chosen;
    buttons[index].setAttribute("aria-pressed", index === chosen);
  });
  buttons.forEach((button, index) => button.addEventListener("click", () => choose(index)));
  boxes[0].before(make("div", { className: "picks", role: "group", "aria-label": "images" }, ...buttons));
  choose(0);
});
