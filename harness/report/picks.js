// What the walk and the restoring begin with: which images, and through a model of how many latent variables.
const FACES = [-2, -1, 0, 1, 2].flatMap((up) => [[-0.8, up], [0.8, up]]); // places on the plane, from a smile to a frown

/** The models of a dataset that have been unpacked, from the fewest latent variables to the most; none of earlier. */
function modelsOf(dataset) {
  const found = Object.entries(models).filter(([name, model]) => model.dataset === dataset && !name.includes("@"));
  return found.map(([, model]) => model).sort((a, b) => a.nLatent - b.nLatent);
}

/** Ten images of a dataset: test images of MNIST; of faces, what a model makes, as their data are not ours to pass on. */
function imagesOf(dataset) {
  const known = modelsOf(dataset), { images } = known.find((model) => model.images) ?? {};
  if (images) return images;
  if (known[0].nLatent === 2) return FACES.map((z) => decode(known[0], z).mean);
  const random = seeded(4);
  return FACES.map(() => decode(known[0], Array.from({ length: known[0].nLatent }, () => gaussian(random))).mean);
}

/** A row of images of which one is chosen; the last is the image x of the machine, once that has one. */
class Picks {
  constructor(box, changed) {
    Object.assign(this, { box, changed, images: [], chosen: 0 });
    machine.views.push(() => this.takeUp());
    document.addEventListener("language", () => this.name());
  }

  get image() { return this.images[this.chosen] ?? this.images[0]; }

  fill(dataset, chosen) {
    const [model] = modelsOf(dataset);
    Object.assign(this, { dataset, model, chosen, images: [...imagesOf(dataset)] });
    this.box.replaceChildren(...[...this.images, null].map((_, k) => {
      const button = make("button", { type: "button" }, canvasFor(model));
      button.addEventListener("click", () => { this.choose(k); this.changed(); });
      return button;
    }));
    this.images.forEach((image, k) => this.paint(k));
    this.takeUp(false);
    this.choose(this.images[chosen] ? chosen : 0);
    this.name();
  }

  /** The machine's image as it is now. */
  takeUp(tell = true) {
    const own = machine.dataset === this.dataset && machine.x, last = this.box.lastElementChild, at = this.box.children.length - 1;
    if (!last) return;
    last.hidden = !own;
    if (!own || this.images[at] === own) return;
    this.images[at] = own;
    this.paint(at);
    if (tell && this.chosen === at) this.changed();
  }

  paint(k) { paint(this.box.children[k].firstElementChild.getContext("2d"), this.model, this.images[k]); }

  choose(k) {
    this.chosen = k;
    [...this.box.children].forEach((button, i) => button.setAttribute("aria-pressed", i === k));
  }

  name() {
    const digits = this.dataset === "mnist", buttons = [...this.box.children];
    buttons.forEach((button, k) => button.setAttribute("aria-label",
      k === buttons.length - 1 ? say("pick_above") : say(digits ? "pick_digit" : "pick_face", { which: digits ? k : k + 1 })));
  }
}

/** Radio buttons for the numbers of latent variables; the one that is wanted is chosen, or else the largest. */
function offerSizes(box, sizes, wanted, changed) {
  const chosen = sizes.includes(wanted) ? wanted : sizes.at(-1);
  box.replaceChildren(...sizes.map((size) => {
    const input = make("input", { type: "radio", name: box.id, value: size });
    input.checked = size === chosen;
    input.addEventListener("change", () => changed(size));
    return make("label", {}, input, ` ${size}`);
  }));
  return chosen;
}

/** Do a list of things, a few a frame; the answer stops it. */
function inSlices(jobs) {
  let waiting = requestAnimationFrame(function go() {
    for (const end = performance.now() + 6; jobs.length && performance.now() < end;) jobs.shift()();
    if (jobs.length) waiting = requestAnimationFrame(go);
  });
  return () => cancelAnimationFrame(waiting);
}

/** Have `step(seconds)` called each frame until it says no, and a figure say that it runs. Nothing runs out of sight. */
function player(figure, button, step, stopped = () => {}) {
  let running = false, last = 0;
  function tick(now) {
    if (!running) return;
    const more = step(Math.min(0.1, Math.max(0, (now - last) / 1000)));
    last = now;
    if (more) requestAnimationFrame(tick);
    else set(false);
  }
  function set(on) {
    if (on === running) return;
    running = on;
    figure.classList.toggle("running", on);
    if (!on) return stopped();
    last = performance.now();
    requestAnimationFrame(tick);
  }
  button.addEventListener("click", () => set(!running));
  new IntersectionObserver(([entry]) => { if (!entry.isIntersecting) set(false); }).observe(figure);
  return set;
}
