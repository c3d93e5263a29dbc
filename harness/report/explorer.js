// A walk over the latent plane.
const STEPS = 12;
const explorer = { name: Object.keys(models)[0], z: [0, 0], a: [-1.5, 0], b: [1.5, 0], ellipse: null };

if (explorer.name) {
  const find = (id) => document.getElementById(id);
  const plane = find("plane"), image = find("image"), strip = find("strip");
  const SIZE = plane.width;
  const ground = make("canvas", { width: SIZE, height: SIZE });
  const colours = document.querySelector(".explorer").style;
  let manifold = false, playing = 0;
  let view = { centre: [0, 0], half: 3.5 }; // what part of the latent plane is shown

  const at = (z) => [0, 1].map((k) => (0.5 + ((k ? -1 : 1) * (z[k] - view.centre[k])) / (2 * view.half)) * SIZE);
  const length = (value) => (value / (2 * view.half)) * SIZE;
  const inside = (z) => z.map((value, k) => Math.max(view.centre[k] - view.half, Math.min(view.centre[k] + view.half, value)));

  /** A colour of the page's in the theme that is shown. */
  function colour(name) {
    colours.color = `var(${name})`;
    const resolved = getComputedStyle(document.querySelector(".explorer")).color;
    colours.color = "";
    return resolved;
  }

  /** What does not change while z moves: the manifold or the test points, and the prior. */
  function prepare() {
    const context = ground.getContext("2d");
    const model = models[explorer.name];
    context.clearRect(0, 0, SIZE, SIZE);
    find("key").replaceChildren();
    if (manifold) {
      const n = 20, cell = SIZE / n, tile = make("canvas", { width: model.width, height: model.height });
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          const z = [i, n - 1 - j].map((cell, k) => view.centre[k] + ((2 * (cell + 0.5)) / n - 1) * view.half);
          paint(tile.getContext("2d"), explorer.name, decode(explorer.name, z));
          const width = (cell * model.width) / model.height;
          context.drawImage(tile, i * cell + (cell - width) / 2, j * cell, width, cell);
        }
    } else if (model.points) {
      const { of, key } = colouring(model);
      context.globalAlpha = 0.75;
      for (let k = 0; k < model.points.n; k++) {
        context.fillStyle = of(k);
        context.beginPath();
        context.arc(...at(model.points.z.subarray(2 * k, 2 * k + 2)), model.points.n > 1000 ? 3.5 : 6, 0, 2 * Math.PI);
        context.fill();
      }
      context.globalAlpha = 1;
      find("key").replaceChildren(...key);
    }
    context.strokeStyle = colour("--quiet");
    context.fillStyle = colour("--quiet");
    context.lineWidth = 1;
    context.font = "500 17px system-ui, sans-serif";
    for (const deviations of manifold ? [] : [1, 2, 3]) {
      context.globalAlpha = 0.6;
      context.beginPath();
      context.arc(...at([0, 0]), length(deviations), 0, 2 * Math.PI);
      context.stroke();
      context.globalAlpha = 1;
      const [x, y] = at([0, deviations]);
      context.fillText(`${deviations}σ`, x + 4, y - 5);
    }
  }

  function mark(context, place, letter) {
    const [x, y] = at(place);
    context.fillStyle = colour("--page");
    context.lineWidth = 3;
    context.strokeStyle = colour("--ink");
    context.beginPath();
    context.arc(x, y, 14, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    context.fillStyle = colour("--ink");
    context.font = "600 18px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText(letter, x, y + 6);
    context.textAlign = "start";
  }

  function drawPlane() {
    const context = plane.getContext("2d");
    context.clearRect(0, 0, SIZE, SIZE);
    context.drawImage(ground, 0, 0);
    context.setLineDash([8, 6]);
    context.strokeStyle = colour("--ink");
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(...at(explorer.a));
    context.lineTo(...at(explorer.b));
    context.stroke();
    context.setLineDash([]);
    mark(context, explorer.a, "A");
    mark(context, explorer.b, "B");
    const [x, y] = at(explorer.z);
    context.strokeStyle = colour("--accent");
    if (explorer.ellipse) {
      const radii = explorer.ellipse.deviation.map((value) => length(2 * value));
      context.lineWidth = 3;
      context.beginPath();
      context.ellipse(...at(explorer.ellipse.mean), ...radii, 0, 0, 2 * Math.PI);
      context.stroke();
    }
    for (const [stroke, width] of [[colour("--page"), 8], [colour("--accent"), 4]]) {
      context.strokeStyle = stroke;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x - 18, y); context.lineTo(x + 18, y);
      context.moveTo(x, y - 18); context.lineTo(x, y + 18);
      context.stroke();
    }
  }

  explorer.go = (z) => {
    explorer.z = [...z];
    paint(image.getContext("2d"), explorer.name, decode(explorer.name, explorer.z));
    find("place").value = `z = (${explorer.z.map((value) => print(value, 2)).join(", ")})`;
    drawPlane();
  };

  function showStrip(places, key) {
    const { width, height } = models[explorer.name];
    strip.width = width * places.length;
    strip.height = height;
    places.forEach((z, k) => paint(strip.getContext("2d"), explorer.name, decode(explorer.name, z), k * width, 0));
    find("strip-caption").dataset.key = key;
    find("strip-caption").textContent = say(key);
  }

  const between = (share) => explorer.a.map((value, k) => value + share * (explorer.b[k] - value));
  const showPath = () => showStrip(Array.from({ length: STEPS }, (_, k) => between(k / (STEPS - 1))), "path");

  /** Show another model. */
  explorer.choose = (name) => {
    explorer.name = name;
    explorer.ellipse = null;
    view = viewOf(models[name]);
    [explorer.z, explorer.a, explorer.b] = landmarks(models[name]);
    cancelAnimationFrame(playing);
    document.querySelector(`input[name="model"][value="${name}"]`).checked = true;
    document.querySelector("#model-origin .origin").dataset.from = models[name].source;
    const { width, height } = models[name];
    Object.assign(image, { width, height });
    image.style.setProperty("--shape", `${width} / ${height}`);
    for (const canvas of [image, strip]) canvas.classList.toggle("ink", name === "mnist");
    prepare();
    explorer.go(explorer.z);
    showPath();
  };
  for (const radio of document.querySelectorAll('input[name="model"]'))
    radio.addEventListener("change", () => explorer.choose(radio.value));

  function drag(event) {
    const box = plane.getBoundingClientRect();
    const share = [(event.clientX - box.left) / box.width, (box.bottom - event.clientY) / box.height];
    explorer.ellipse = null;
    explorer.go(inside(share.map((value, k) => view.centre[k] + (2 * value - 1) * view.half)));
  }
  plane.addEventListener("pointerdown", (event) => {
    cancelAnimationFrame(playing);
    plane.setPointerCapture(event.pointerId);
    drag(event);
  });
  plane.addEventListener("pointermove", (event) => { if (plane.hasPointerCapture(event.pointerId)) drag(event); });
  plane.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    cancelAnimationFrame(playing);
    explorer.ellipse = null;
    explorer.go(inside(step.map((value, k) => explorer.z[k] + value * (event.shiftKey ? 0.5 : 0.1))));
  });

  find("sample").addEventListener("click", () => {
    const places = Array.from({ length: STEPS }, () => [gaussian(), gaussian()]);
    explorer.ellipse = null;
    explorer.go(places[0]);
    showStrip(places, "samples");
  });
  find("manifold").addEventListener("click", () => {
    manifold = !manifold;
    find("manifold").setAttribute("aria-pressed", manifold);
    prepare();
    drawPlane();
  });
  for (const end of ["a", "b"])
    find(`set-${end}`).addEventListener("click", () => {
      explorer[end] = [...explorer.z];
      drawPlane();
      showPath();
    });
  find("play").addEventListener("click", () => {
    cancelAnimationFrame(playing);
    showPath();
    explorer.ellipse = null;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const began = performance.now();
    const frame = (now) => {
      const share = Math.min(1, Math.max(0, now - began) / 3000);
      explorer.go(between(calm ? Math.floor(share * STEPS) / STEPS : share));
      if (share < 1) playing = requestAnimationFrame(frame);
    };
    playing = requestAnimationFrame(frame);
  });

  const redraw = () => { prepare(); drawPlane(); };
  document.addEventListener("theme", redraw);
  document.addEventListener("language", () => {
    redraw();
    find("strip-caption").textContent = say(find("strip-caption").dataset.key);
  });
  explorer.choose(explorer.name);
}
