// The duel as one sees it: both guesses beside the true posterior, the steps they might take, and how high they are.
const arena = { duel: null, ratio: null };

document.getElementById("duel") && (() => {
  const figure = document.getElementById("duel"), find = (id) => document.getElementById(`duel-${id}`);
  const SIDES = ["score", "reparameterized"];
  const LAST = 600, SLOW = 60; // steps; so many of them are slow enough to follow
  const CLOUD = 100; // steps that might be taken
  const REACH = 0.08; // of a step that is shown, for a gradient of 1
  const CHART = { width: 420, height: 250, left: 46, right: 412, top: 12, bottom: 222 };
  const asked = (name) => figure.querySelector(`input[name="duel-${name}"]:checked`).value;
  const options = () => ({ draws: Number(asked("draws")), stepSize: Number(asked("step")), copies: Number(asked("copies")), baseline: find("baseline").checked });
  const moving = () => figure.classList.contains("running");
  let seed = 0, due = 0, making = false, stop = () => {}, noises = [], clouds = {};

  /** What a step would be with other noise; the same noise each time, so that it changes only as q does. In slices. */
  function makeCloud() {
    const { duel } = arena, [score, ours] = SIDES.map((name) => duel[name].guess.copy()), made = { score: [], reparameterized: [], there: [] };
    const jobs = noises.flatMap((noise) => [
      () => made.score.push(duel.scoreAt(score, noise)),
      () => made.reparameterized.push(ours.reparameterized(noise)),
      () => made.there.push(duel.scoreAt(ours, noise)),
    ]);
    stop();
    making = true;
    stop = inSlices([...jobs, () => {
      making = false;
      clouds = made;
      arena.ratio = varianceOf(made.there) / varianceOf(made.reparameterized);
      for (const box of boxes) box.show();
      tell();
    }]);
  }

  // The plane of the first two hidden numbers.
  const half = 2.4, sides = {}, frame = (name) => new Frame([0.3, -0.3], half, sides[name]);
  const boxes = SIDES.map((name) => surfaceOf(find(name), (context, size) => {
    sides[name] = size;
    const at = frame(name), { mean, logVar } = arena.duel[name].guess;
    line(context, at.to([-9, 0]), at.to([9, 0]), palette.line, 1);
    line(context, at.to([0, -9]), at.to([0, 9]), palette.line, 1);
    context.strokeStyle = palette["c-post"];
    for (const times of [1, 2]) {
      context.lineWidth = times === 1 ? 2.5 : 1.5;
      posteriorAt(context, at, times);
    }
    context.setLineDash([5, 3]);
    context.strokeStyle = palette["c-mu"];
    for (const times of [1, 2]) {
      context.lineWidth = times === 1 ? 2.5 : 1.5;
      ellipse(context, at, mean, [...logVar].map((value) => Math.exp(value / 2)), times);
    }
    context.setLineDash([]);
    context.fillStyle = palette["c-eps"];
    context.globalAlpha = 0.6;
    for (const { mean: g } of clouds[name]) {
      context.beginPath();
      context.arc(...at.to([0, 1].map((k) => mean[k] + REACH * g[k])), size > 220 ? 2.5 : 1.8, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    line(context, at.to(mean), at.to([0, 1].map((k) => mean[k] + REACH * arena.duel[name].guess.slope[k])), palette.ink, 3);
    const here = [mean[0], mean[1]], shown = at.inside(here, 0.03);
    dot(context, at.to(shown), palette["c-mu"], shown.some((value, k) => value !== here[k]));
  }, () => arena.duel !== null));

  /** The true posterior's ellipse: the unit circle through a root of the covariance. */
  function posteriorAt(context, at, times) {
    const [[a, b], [, c]] = truth.covariance, root = Math.sqrt(a), slant = b / root, rest = Math.sqrt(c - slant * slant);
    context.beginPath();
    for (let k = 0; k <= 60; k++) {
      const [u, v] = [Math.cos((k * Math.PI) / 30), Math.sin((k * Math.PI) / 30)].map((value) => times * value);
      context.lineTo(...at.to([truth.mean[0] + root * u, truth.mean[1] + slant * u + rest * v]));
    }
    context.stroke();
  }

  /** The bounds against the number of draws. */
  function drawChart() {
    const { score, reparameterized, draws, copies, steps, baseline } = arena.duel, { left, right, top, bottom } = CHART;
    const most = [50, 100, 200, 400, LAST].find((n) => n >= steps) * draws, best = copies * truth.best;
    const gap = best - score.bounds[0], lowest = Math.min(score.bounds[0] - 0.25 * gap, Math.max(Math.min(...score.bounds), best - 5 * gap));
    const x = (k) => left + ((right - left) * k * draws) / most;
    const y = (bound) => Math.min(bottom, bottom - ((bottom - top) * (bound - lowest)) / (1.06 * (best - lowest)));
    const path = (bounds) => bounds.map((bound, k) => `${k ? "L" : "M"}${x(k).toFixed(1)} ${y(bound).toFixed(1)}`).join("");
    const step = [1, 2, 5, 10, 20, 50, 100, 200].find((size) => (best - lowest) / size <= 5), parts = [];
    for (let tick = Math.ceil(lowest / step) * step; tick <= best; tick += step) {
      parts.push(make("path", { class: "grid", d: `M${left} ${y(tick)}H${right}` }));
      parts.push(make("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, print(tick, 0)));
    }
    for (const share of [0, 0.5, 1]) parts.push(make("text", { x: left + share * (right - left), y: bottom + 18, "text-anchor": share === 1 ? "end" : "middle" }, (share * most).toLocaleString("en")));
    parts.push(make("path", { class: "stroke limit", d: `M${left} ${y(best)}H${right}` }));
    parts.push(make("path", { class: `stroke ${baseline ? "baseline" : "naive"} ours`, d: path(score.bounds) }));
    parts.push(make("path", { class: "stroke estimator-b ours", d: path(reparameterized.bounds) }));
    find("chart").replaceChildren(...parts);
  }

  function tell() {
    const { score, reparameterized, copies, steps, draws } = arena.duel, best = copies * truth.best;
    for (const name of SIDES) find(`${name}-bound`).value = print(arena.duel[name].guess.bound, 2);
    find("best").value = print(best, 2);
    find("ratio").value = !arena.ratio ? "…" : arena.ratio >= 9.95 ? Math.round(arena.ratio).toLocaleString("en") : print(arena.ratio, 1);
    figure.classList.toggle("ended", steps >= LAST);
    find("drawn").value = (steps * draws).toLocaleString("en");
    if (!moving()) find("told").textContent = say("duel_told", {
      draws: (steps * draws).toLocaleString("en"), best: print(best, 2),
      score: print(score.guess.bound, 2), ours: print(reparameterized.guess.bound, 2),
    });
  }

  function show() {
    if (!moving() || !making) makeCloud();
    for (const box of boxes) box.show();
    drawChart();
    tell();
  }

  const play = player(figure, find("play"), (seconds) => {
    if (arena.duel.steps >= LAST) arena.restart();
    due += seconds * (arena.duel.steps < SLOW ? 10 : 60);
    if (due < 1) return true;
    for (; due >= 1 && arena.duel.steps < LAST; due -= 1) arena.duel.step();
    show();
    return arena.duel.steps < LAST;
  }, () => show());

  /** Both back to the prior, with new noise or that of a seed. */
  arena.restart = (from = ++seed) => {
    arena.duel = new Duel(options(), from);
    for (const side of figure.querySelectorAll(".of-baseline, .without-baseline")) side.hidden = side.matches(".of-baseline") !== arena.duel.baseline;
    const random = seeded(1);
    noises = Array.from({ length: CLOUD }, () => arena.duel.noise(random));
    clouds = { score: [], reparameterized: [] };
    arena.ratio = null;
    show();
  };
  arena.step = () => {
    play(false);
    if (arena.duel.steps < LAST) arena.duel.step();
    show();
  };

  find("step").addEventListener("click", arena.step);
  find("restart").addEventListener("click", () => { play(false); arena.restart(); });
  const NAMES = ["draws", "step", "copies"], USUAL = "1,0.3,1,plain";
  for (const input of figure.querySelectorAll("input"))
    input.addEventListener("change", () => {
      const chosen = [...NAMES.map(asked), find("baseline").checked ? "baseline" : "plain"].join();
      keep("duel", chosen === USUAL ? null : chosen);
      play(false);
      arena.restart();
    });
  const wanted = (address.get("duel") ?? "").split(",");
  NAMES.forEach((name, k) => {
    for (const input of figure.querySelectorAll(`input[name="duel-${name}"]`)) if (input.value === wanted[k]) input.checked = true;
  });
  find("baseline").checked = wanted[3] === "baseline";
  for (const name of ["theme", "language"]) document.addEventListener(name, show);
  readPalette();
  arena.restart();
})();
