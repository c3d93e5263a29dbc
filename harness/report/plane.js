// The whole latent plane: what the decoder makes of each place, or where the test images lie.
const DIGITS = ["#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#d4a72c", "#b07aa1", "#ff7f9c", "#9c755f", "#7f7f7f"];

document.getElementById("machine-plane") && (() => {
  const find = (id) => document.getElementById(id);
  const canvas = find("machine-plane"), dots = find("machine-dots");
  const [ground, codes] = [0, 1].map(() => make("canvas", { width: 720, height: 720 }));
  let side = 0, painted = "", painting = 0, dotted = "";
  const frame = () => new Frame(machine.main.model.view.centre, machine.main.model.view.half, side);

  /** The decoder's images on a regular grid, a few a frame. */
  function paintManifold(model, context, at) {
    const rows = 18, cell = at.side / rows, tile = make("canvas", { width: model.width, height: model.height });
    const pen = tile.getContext("2d"), [r, g, b] = palette.ink.match(/[\d.]+/g), ink = model.dataset === "mnist";
    const width = (cell * model.width) / model.height;
    const mine = painting;
    let k = 0;
    context.globalAlpha = ink ? 1 : 0.6;
    (function go() {
      if (mine !== painting) return; // another one has begun
      for (const end = performance.now() + 8; k < rows * rows && performance.now() < end; k++) {
        const x = (k % rows) * cell, y = Math.floor(k / rows) * cell;
        const { mean } = decode(model, at.from(x + cell / 2, y + cell / 2));
        if (ink) {
          const image = pen.createImageData(tile.width, tile.height);
          mean.forEach((value, p) => image.data.set([r, g, b, 150 * value], 4 * p));
          pen.putImageData(image, 0, 0);
        } else paint(pen, model, mean);
        context.drawImage(tile, x + (cell - width) / 2, y, width, cell);
      }
      if (k < rows * rows) requestAnimationFrame(go);
      box.show();
    })();
  }

  /** Codes of the test images, and in the middle of each digit's (their medians) which digit it is. */
  function paintPoints({ points: { n, z, label } }, context, at) {
    const places = DIGITS.map(() => [[], []]);
    context.globalAlpha = 0.75;
    for (let k = 0; k < n; k++) {
      const place = [z[2 * k], z[2 * k + 1]];
      context.fillStyle = label ? DIGITS[label[k]] : palette.quiet;
      context.beginPath();
      context.arc(...at.to(place), n > 1000 ? 3.5 : 6, 0, 2 * Math.PI);
      context.fill();
      if (label) place.forEach((value, c) => places[label[k]][c].push(value));
    }
    context.strokeStyle = palette.quiet;
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    for (const times of [1, 2, 3]) ellipse(context, at, [0, 0], [1, 1], times);
    Object.assign(context, { font: "bold 40px system-ui", textAlign: "center", textBaseline: "middle", lineWidth: 10, lineJoin: "round", strokeStyle: palette.page, fillStyle: palette.ink });
    places.forEach((both, digit) => {
      if (!both[0].length) return;
      const middle = at.to(both.map((values) => values.sort((a, b) => a - b)[values.length >> 1]));
      context.strokeText(digit, ...middle);
      context.fillText(digit, ...middle);
    });
  }

  const showsDots = () => dots.getAttribute("aria-pressed") === "true" && Boolean(machine.main.model.points);

  /** What does not change while z moves. */
  function prepare() {
    const { model, name } = machine.main, wanted = [name, palette.ink].join();
    const at = new Frame(model.view.centre, model.view.half, ground.width);
    const fresh = (canvas) => { const context = canvas.getContext("2d"); context.globalAlpha = 1; context.clearRect(0, 0, canvas.width, canvas.width); return context; };
    if (showsDots() && wanted !== dotted) {
      dotted = wanted;
      paintPoints(model, fresh(codes), at);
    }
    if (wanted === painted) return;
    painted = wanted; // before it is painted, which shows the plane as it goes on
    painting++;
    paintManifold(model, fresh(ground), at);
  }

  const box = surfaceOf(canvas, (context, size) => {
    side = size;
    if (!machine.lens) return;
    prepare();
    const at = frame(), { centre, half } = machine.lens, { mean, deviation } = machine.main.q;
    context.globalAlpha = showsDots() ? 0.3 : 1;
    context.drawImage(ground, 0, 0, size, size);
    context.globalAlpha = 1;
    if (showsDots()) context.drawImage(codes, 0, 0, size, size);
    const [x, y] = at.to([centre[0] - half, centre[1] + half]);
    context.strokeStyle = palette.ink;
    context.lineWidth = 1.5;
    context.strokeRect(x, y, at.length(2 * half), at.length(2 * half));
    context.strokeStyle = palette["c-mu"];
    context.lineWidth = 2.5;
    ellipse(context, at, mean, deviation, 2);
    const z = [...machine.main.z], shown = at.inside(z, 0.03);
    dot(context, at.to(shown), palette["c-z"], shown.some((value, k) => value !== z[k]));
  });
  const step = (way) => machine.setZ(way.map((v, k) => machine.main.z[k] + 0.1 * v));
  draggable(canvas, frame, (place) => machine.setZ(place), step);
  machine.views.push(box.show);

  dots.addEventListener("click", () => {
    dots.setAttribute("aria-pressed", dots.getAttribute("aria-pressed") !== "true");
    machine.redraw();
  });
  find("machine-sample").addEventListener("click", () => machine.setZ([gaussian(), gaussian()], "prior"));
  document.addEventListener("dataset", () => { dots.hidden = !machine.main.model.points; });
})();
