// Noise, and the samples that are computed from it.
{
  const [MEAN, DEVIATION] = ["mean", "deviation"].map((name) => document.getElementById(`trick-${name}`));
  const scene = document.querySelector("#trick .scene");
  const decoded = document.querySelector("#trick .decoded");
  const UPPER = 46, LOWER = 144, PEAK = 36;
  let noise = [-1.7, -1, -0.45, 0.1, 0.5, 1.05, 1.8];
  const place = (value) => 320 + value * 75;

  document.addEventListener("model", ({ detail: name }) => {
    if (name !== "mnist-2") return;
    decoded.hidden = false;
    decoded.append(...noise.map(() => make("canvas", { width: 28, height: 28, class: "ink" })));
    draw();
  });

  /** A bell curve that stands on an axis, or hangs from it. */
  function bell(mean, deviation, axis, up) {
    let path = `M0 ${axis}`;
    for (let at = 0; at <= 640; at += 4) {
      const distance = ((at - 320) / 75 - mean) / deviation;
      path += `L${at} ${(axis + (up ? -1 : 1) * PEAK * Math.exp((-distance * distance) / 2)).toFixed(1)}`;
    }
    return make("path", { class: "density", d: `${path}L640 ${axis}Z` });
  }

  function draw() {
    const [mean, deviation] = [MEAN, DEVIATION].map((slider) => Number(slider.value));
    for (const slider of [MEAN, DEVIATION]) slider.parentElement.querySelector("output").value = print(Number(slider.value), 2);
    const parts = [bell(0, 1, UPPER, true), bell(mean, deviation, LOWER, false)];
    for (const axis of [UPPER, LOWER]) parts.push(make("line", { class: "axis", x1: 0, x2: 640, y1: axis, y2: axis }));
    for (let tick = -4; tick <= 4; tick += 2) {
      parts.push(make("text", { x: place(tick), y: UPPER + 15 }, print(tick, 0)));
      parts.push(make("text", { x: place(tick), y: LOWER - 6 }, print(tick, 0)));
    }
    noise.forEach((eps, k) => {
      const z = mean + deviation * eps;
      parts.push(make("line", { class: "tie", x1: place(eps), y1: UPPER, x2: place(z), y2: LOWER }));
      parts.push(make("circle", { cx: place(eps), cy: UPPER, r: 4 }), make("circle", { cx: place(z), cy: LOWER, r: 4 }));
      const model = models["mnist-2"];
      if (model) paint(decoded.children[k].getContext("2d"), model, decode(model, [z, 0]).mean);
    });
    scene.replaceChildren(...parts);
  }

  MEAN.addEventListener("input", draw);
  DEVIATION.addEventListener("input", draw);
  document.getElementById("trick-again").addEventListener("click", () => {
    noise = noise.map(() => gaussian()).sort((a, b) => a - b);
    draw();
  });
  draw();
}
