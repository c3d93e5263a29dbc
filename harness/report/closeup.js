// Close to μ: q's ellipses, the model's own posterior beside them, and z = μ + σ·ε.
document.getElementById("machine-close") && (() => {
  const FINE = 81;
  const canvas = document.getElementById("machine-close");
  let side = 0, known = null, heat = null, values = null, peak = 0;
  const frame = () => new Frame(machine.lens.centre, machine.lens.half, side);

  /** The posterior's values over the lens, and a picture of them; computed where it has changed. */
  function lookAt(joint) {
    const { centre, half } = machine.lens;
    values = joint.over(...centre.map((middle) => evenly(middle, half, FINE)));
    peak = joint.peak;
    for (let k = 0; k < values.length; k++) if (values[k] > peak) peak = values[k];
    const [r, g, b] = palette["c-post"].match(/[\d.]+/g).map(Number), picture = new ImageData(FINE, FINE), { data } = picture;
    for (let j = 0, k = 0; j < FINE; j++)
      for (let i = 0, to = 4 * (FINE - 1 - j) * FINE; i < FINE; i++, k++, to += 4) {
        if (values[k] < peak - 6) continue;
        data[to] = r;
        data[to + 1] = g;
        data[to + 2] = b;
        data[to + 3] = 90 * Math.exp(values[k] - peak);
      }
    heat = make("canvas", { width: FINE, height: FINE });
    heat.getContext("2d").putImageData(picture, 0, 0);
    known = joint;
  }

  /** A length in round numbers, for scale. */
  function scaleBar(context, at) {
    const length = [1, 0.5, 0.2, 0.1].find((value) => at.length(value) < 0.4 * side), y = side - 12;
    line(context, [12, y], [12 + at.length(length), y], palette.quiet, 2);
    context.fillStyle = palette.quiet;
    context.font = "14px system-ui, sans-serif";
    context.fillText(length, 18 + at.length(length), y + 4);
  }

  const box = surfaceOf(canvas, (context, size) => {
    side = size;
    if (!machine.lens) return;
    const at = frame(), { mean, deviation } = machine.main.q;
    if (machine.joint) {
      if (machine.joint !== known) lookAt(machine.joint);
      context.imageSmoothingEnabled = true;
      context.drawImage(heat, 0, 0, size, size);
      context.strokeStyle = palette["c-post"];
      for (const times of [1, 2]) {
        context.lineWidth = times === 1 ? 2.5 : 1.5;
        context.stroke(contour(values, FINE, peak - times ** 2 / 2, size));
      }
    }
    context.setLineDash([5, 3]);
    context.strokeStyle = palette["c-mu"];
    for (const times of [1, 2]) {
      context.lineWidth = times === 1 ? 2.5 : 1.5;
      ellipse(context, at, mean, deviation, times);
    }
    context.setLineDash([]);
    const middle = at.to(mean);
    line(context, middle, [middle[0] + at.length(deviation[0]), middle[1]], palette["c-sigma"], 2.5);
    line(context, middle, [middle[0], middle[1] - at.length(deviation[1])], palette["c-sigma"], 2.5);
    const z = [...machine.main.z], shown = at.inside(z, 0.04);
    if (!machine.free) line(context, middle, at.to(shown), palette["c-eps"], 2);
    dot(context, middle, palette["c-mu"]);
    dot(context, at.to(shown), palette["c-z"], shown.some((value, k) => value !== z[k]));
    scaleBar(context, at);
  });
  const step = (way) => machine.setZ(way.map((v, k) => machine.main.z[k] + v * machine.lens.half / 20));
  draggable(canvas, frame, (place) => machine.setZ(place), step);
  document.addEventListener("theme", () => { known = null; });
  machine.views.push(box.show);
})();
