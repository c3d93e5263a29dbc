// Canvases in CSS pixels and in the page's colours, with a pointer and with keys.
const palette = {};

/** The colours of the theme that is shown. */
function readPalette() {
  const probe = document.querySelector(".machine");
  for (const name of ["page", "ink", "quiet", "line", "wash", "c-mu", "c-sigma", "c-eps", "c-z", "c-xhat", "c-post"]) {
    probe.style.color = `var(--${name})`;
    palette[name] = getComputedStyle(probe).color;
  }
  probe.style.color = "";
}

/** What draws on a canvas: `draw(context, side)` whenever `show` is called; nothing while it has no size or is not ready. */
function surfaceOf(canvas, draw, ready = () => machine.main?.decoded) {
  const context = canvas.getContext("2d");
  let side = 0;
  function show() {
    if (!side || !ready()) return;
    const scale = canvas.width / side;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, side, side);
    draw(context, side);
  }
  new ResizeObserver(([entry]) => {
    side = entry.contentRect.width;
    canvas.width = canvas.height = Math.round(side * Math.min(devicePixelRatio, 3));
    show();
  }).observe(canvas);
  return { canvas, show };
}

/** A canvas for an image, ink or grey. */
function canvasFor({ width, height, dataset }, canvas = make("canvas")) {
  Object.assign(canvas, { width, height });
  canvas.classList.toggle("ink", dataset === "mnist");
  canvas.style.aspectRatio = `${width} / ${height}`;
  return canvas;
}

/** From coordinates around a centre to pixels of a square, and back. */
class Frame {
  constructor(centre, half, side) { Object.assign(this, { centre, half, side }); }
  length(value) { return (value / (2 * this.half)) * this.side; }
  to(z) { return [0, 1].map((k) => this.side / 2 + (k ? -1 : 1) * this.length(z[k] - this.centre[k])); }
  from(x, y) { return [x, y].map((p, k) => this.centre[k] + (k ? -1 : 1) * (p / this.side - 0.5) * 2 * this.half); }
  /** The nearest place that is shown, so far from the edge. */
  inside(z, margin = 0) {
    const reach = this.half * (1 - margin);
    return z.map((value, k) => Math.max(this.centre[k] - reach, Math.min(this.centre[k] + reach, value)));
  }
}

/** Have a canvas take hold of a point: `move(place)` with where the pointer is, `step([right, up])` by arrow keys. */
function draggable(canvas, frame, move, step) {
  const drag = (event) => {
    if (!machine.main?.decoded) return;
    const box = canvas.getBoundingClientRect(), { side } = frame();
    move(frame().inside(frame().from(...[event.clientX - box.left, event.clientY - box.top].map((p) => (p / box.width) * side))));
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (canvas.hasPointerCapture(event.pointerId)) drag(event); });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
    if (!machine.main?.decoded) return;
    if (event.key === "Home") machine.setEps([0, 0]);
    else if (way) step(way.map((value) => value * (event.shiftKey ? 5 : 1)));
    else return;
    event.preventDefault();
  });
}

/** A point to take hold of; hollow where it is not itself here. */
function dot(context, [x, y], colour, hollow = false) {
  context.beginPath();
  context.arc(x, y, 6, 0, 2 * Math.PI);
  context.fillStyle = hollow ? palette.page : colour;
  context.strokeStyle = hollow ? colour : palette.page;
  context.lineWidth = 2;
  context.fill();
  context.stroke();
}

/** The ellipse at so many standard deviations. */
function ellipse(context, frame, mean, deviation, times) {
  context.beginPath();
  context.ellipse(...frame.to(mean), frame.length(times * deviation[0]), frame.length(times * deviation[1]), 0, 0, 2 * Math.PI);
  context.stroke();
}

function line(context, from, to, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}
