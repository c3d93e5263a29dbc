// Restoring live: one rubs out, covers or spoils a part of a digit, and sees it come back step by step.
const restore = { work: null, model: null };

document.getElementById("restore-damaged") && (() => {
  const LAST = 50, SHOWN = [0, 1, 2, 3, 5, 10, 20, 50], RUBBER = 2.6; // steps; a radius in pixels
  const find = (id) => document.getElementById(`restore-${id}`), figure = document.getElementById("restore");
  const damaged = find("damaged"), now = find("now"), strip = find("steps");
  const picks = new Picks(find("picks"), whole);
  const tile = make("canvas", { width: 28, height: 28 }).getContext("2d");
  let wanted = read(), hand = null, due = 0, offered = "";

  /** What the address asks for: number of latent variables, image, what is lost. */
  function read() {
    const [size, image, lost] = (address.get("restore") ?? "").split(",");
    return { size: Number(size), image: /^\d+$/.test(image) ? Number(image) : null, lost };
  }
  const write = () => keep("restore", [restore.model.nLatent, picks.chosen, wanted.lost].filter((part) => part !== undefined).join());

  /** The damaged image: what is lost without a trace is hatched. */
  function drawDamaged() {
    const { work } = restore, context = damaged.getContext("2d"), scale = damaged.width / 28;
    paint(tile, restore.model, work.damaged);
    context.imageSmoothingQuality = "high";
    context.drawImage(tile.canvas, 0, 0, damaged.width, damaged.width);
    context.strokeStyle = "#8a8a8a";
    context.lineWidth = 1.2;
    context.fillStyle = "white";
    context.beginPath();
    for (let k = 0; k < 784; k++) {
      if (work.known[k] || work.damaged[k]) continue;
      const x = (k % 28) * scale, y = Math.floor(k / 28) * scale;
      context.fillRect(x, y, scale, scale);
      context.moveTo(x, y + scale);
      context.lineTo(x + scale, y);
    }
    context.stroke();
    if (!hand) return;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(hand[0] * scale, hand[1] * scale, RUBBER * scale, 0, 2 * Math.PI);
    context.stroke();
  }

  function show() {
    const { work, model } = restore, at = SHOWN.indexOf(work.steps);
    drawDamaged();
    paint(now.getContext("2d"), model, work.filled);
    paint(find("mean").getContext("2d"), model, work.mean);
    paint(find("whole").getContext("2d"), model, work.x);
    if (at >= 0) paint(strip.children[at].querySelector("canvas").getContext("2d"), model, work.filled);
    SHOWN.forEach((n, k) => {
      const tile = strip.children[k];
      tile.classList.toggle("to-come", n > work.steps);
      if (n > work.steps) tile.querySelector("canvas").getContext("2d").clearRect(0, 0, 28, 28); // of an earlier run
    });
    find("count").value = work.steps;
    for (const [name, value] of [["error", work.error], ["mean-error", work.meanError]]) find(name).value = value === null ? "–" : print(value, 2);
    for (const name of ["play", "step", "restart"]) find(name).disabled = !work.lost;
    find("hint").hidden = work.lost;
    figure.classList.toggle("begun", work.steps > 0);
    figure.classList.toggle("ended", work.steps >= LAST);
    if (!figure.classList.contains("running")) find("told").textContent = say("restore_told", { n: work.steps, error: find("error").value });
  }

  /** The image that is chosen, undamaged. */
  function whole() {
    play(false);
    restore.work = new Restoring(picks.image);
    show();
  }

  function lose(pixels, noise) {
    play(false);
    restore.work.lose(pixels, noise);
    show();
  }
  const HARM = {
    half: () => lose(Array.from({ length: 392 }, (_, k) => 392 + k)),
    noise: (random = Math.random) => lose(Array.from({ length: 784 }, (_, k) => k).filter(() => random() < 0.5), () => random() || 0.5),
  };

  /** Rub out what is near a place, and on the way to it. */
  function rub(to, from = to) {
    const pixels = [], parts = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1])) || 1;
    for (let part = 0; part <= parts; part++) {
      const [x, y] = between(from, to, part / parts);
      for (let k = 0; k < 784; k++) if (Math.hypot((k % 28) + 0.5 - x, Math.floor(k / 28) + 0.5 - y) < RUBBER) pixels.push(k);
    }
    wanted.lost = undefined; // no address tells of it
    lose(pixels);
  }

  function place(event) {
    const box = damaged.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top].map((v) => (28 * v) / box.width);
  }
  let before = null;
  damaged.addEventListener("pointerdown", (event) => {
    if (!restore.work) return;
    damaged.setPointerCapture(event.pointerId);
    hand = null;
    before = place(event);
    rub(before);
  });
  damaged.addEventListener("pointermove", (event) => {
    if (!damaged.hasPointerCapture(event.pointerId) || !restore.work) return;
    const here = place(event);
    rub(here, before);
    before = here;
  });
  damaged.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!restore.work || !(way || event.key === " ")) return;
    event.preventDefault();
    const from = hand ?? [14, 14];
    hand = way ? from.map((value, k) => Math.max(0, Math.min(28, value + way[k]))) : from;
    if (event.key === " ") rub(hand);
    else if (event.shiftKey) rub(hand, from);
    else drawDamaged();
  });
  damaged.addEventListener("blur", () => { hand = null; if (restore.work) drawDamaged(); });

  /** One step with new noise. */
  restore.step = (random) => {
    restore.work.step(restore.model, Array.from({ length: restore.model.nLatent }, () => gaussian(random)));
    show();
  };
  const play = player(figure, find("play"), (seconds) => {
    if (restore.work.steps >= LAST) again();
    due += seconds * (restore.work.steps < 10 ? 3 : 25);
    for (; due >= 1 && restore.work.steps < LAST; due -= 1) restore.step();
    return restore.work.steps < LAST;
  }, show);
  function again() {
    restore.work.begin();
    show();
  }

  document.addEventListener("model", ({ detail: name }) => {
    if (models[name].dataset !== "mnist" || name.includes("@")) return;
    const known = modelsOf("mnist"), size = offerSizes(find("sizes"), known.map((model) => model.nLatent), wanted.size || 10, (n) => {
      wanted.size = n;
      restore.model = modelsOf("mnist").find((model) => model.nLatent === n);
      play(false);
      again();
      write();
    });
    restore.model = known.find((model) => model.nLatent === size);
    if (!known.some((model) => model.images)) return;
    if (!restore.work) {
      picks.fill("mnist", wanted.image ?? 0);
      whole();
      HARM[wanted.lost ?? "half"]?.(seeded(2));
    } else again();
  });
  for (const name of ["half", "noise"])
    find(name).addEventListener("click", () => {
      wanted.lost = name;
      whole(); // in place of earlier damage, not on top of it
      HARM[name]();
      write();
    });
  find("step").addEventListener("click", () => { play(false); if (restore.work.steps >= LAST) again(); restore.step(); });
  find("restart").addEventListener("click", () => { play(false); again(); });
  find("mend").addEventListener("click", () => { wanted.lost = "nothing"; whole(); write(); });
  picks.box.addEventListener("click", write);
  document.addEventListener("language", () => { if (restore.work) show(); });
  strip.replaceChildren(...SHOWN.map((n) => make("figure", {}, canvasFor({ width: 28, height: 28, dataset: "mnist" }), make("figcaption", {}, String(n)))));
  for (const id of ["now", "mean", "whole"]) canvasFor({ width: 28, height: 28, dataset: "mnist" }, find(id));
})();
