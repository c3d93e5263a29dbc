// Noise ε: drawn outside of the model, and the same whatever the image is.
document.getElementById("machine-eps") && (() => {
  let side = 0;
  const frame = () => new Frame([0, 0], EPS_REACH, side);
  const canvas = document.getElementById("machine-eps");
  const box = surfaceOf(canvas, (context, size) => {
    side = size;
    const at = frame(), middle = at.to([0, 0]);
    const glow = context.createRadialGradient(...middle, 0, ...middle, at.length(3));
    const [r, g, b] = palette["c-eps"].match(/[\d.]+/g);
    for (let t = 0; t <= 1; t += 0.125) glow.addColorStop(t, `rgba(${r}, ${g}, ${b}, ${0.45 * Math.exp(-4.5 * t * t)})`);
    context.fillStyle = glow;
    context.fillRect(0, 0, size, size);
    line(context, [0, middle[1]], [size, middle[1]], palette.line, 1);
    line(context, [middle[0], 0], [middle[0], size], palette.line, 1);
    context.strokeStyle = palette.quiet;
    context.lineWidth = 1;
    for (const times of [1, 2]) ellipse(context, at, [0, 0], [1, 1], times);
    if (machine.free) return; // no noise is used
    const eps = [machine.eps[0], machine.eps[1]], shown = at.inside(eps, 0.06), beyond = shown.some((v, k) => v !== eps[k]);
    line(context, middle, at.to(shown), palette["c-eps"], 2.5);
    dot(context, at.to(shown), palette["c-eps"], beyond);
  });
  draggable(canvas, frame, (place) => machine.setEps(place), (way) => machine.setEps(way.map((v, k) => machine.eps[k] + 0.1 * v)));
  document.getElementById("machine-draw").addEventListener("click", () => machine.setEps(Float32Array.from(machine.eps, () => gaussian())));
  machine.views.push(box.show);
})();
