// The machine: an image x, noise ε, and all that follows from them. Nothing is computed while neither changes.
const EPS_REACH = 3.3; // of either coordinate: as far as noise is taken by hand
const LENSES = Array.from({ length: 16 }, (_, k) => 0.15 * 1.25 ** k); // in steps, for it to keep still while one draws

const machine = {
  dataset: null,
  x: null,
  eps: new Float32Array(20),
  free: null, // where z comes from if not from x and ε: "prior", or "hand" if moved farther than noise would take it
  drawn: new Float32Array(20), // ε as it was drawn last; eps is another one while z is moved by hand
  sides: [], // a model for each number of latent variables: { n, name, model, q, z, decoded, kl, rec }
  joint: null, // log p(x, z), where it is known
  summary: null, // of the joint, where it covers the plane
  mean: null, // of log p(x|z) over ε, where it is known
  exact: false, // these three are the decoder's own, no longer splines between the nodes of a table
  lens: null, // what the close-up shows
  views: [], // called after each change
  stages: {}, // by dataset: names of the models with two latent variables, from the least to the most trained
  stage: null,
};

{
  let pending = false, changed = false, cancel = () => {}, resting = 0;

  const noise = seeded(1);
  machine.drawn = machine.drawn.map((_, k) => [0.9, -0.7][k] ?? gaussian(noise));
  machine.eps.set(machine.drawn);

  /** The model in front: that with two latent variables, or with the fewest. */
  Object.defineProperty(machine, "main", { get: () => machine.sides[0] });
  Object.defineProperty(machine, "flat", { get: () => machine.main?.n === 2 });

  const named = (dataset) => Object.keys(models).filter((name) => models[name].dataset === dataset);

  /** Take the models of a dataset that have been unpacked so far. */
  function gather() {
    const names = named(machine.dataset).filter((name) => !name.includes("@"));
    machine.stages[machine.dataset] = named(machine.dataset)
      .filter((name) => models[name].nLatent === 2)
      .sort((a, b) => models[a].samples - models[b].samples);
    const stage = models[machine.stage]?.dataset === machine.dataset ? machine.stage : null;
    machine.sides = names
      .map((name) => (stage && models[name].nLatent === 2 ? stage : name))
      .map((name) => ({ n: models[name].nLatent, name, model: models[name] }))
      .sort((a, b) => a.n - b.n);
  }

  /** Ten images to pick from: test images of MNIST; for faces, what the model with the most latent variables makes. */
  machine.picks = () => machine.sides.find((side) => side.model.images)?.model.images ?? made();

  /** Of images that the last model makes, those that its own encoder knows better than the first model's. */
  function made() {
    const { model: first } = machine.main, { model: last, n } = machine.sides.at(-1), random = seeded(4), found = [];
    for (let tries = 0; found.length < 10 && tries < 200; tries += 1) {
      const x = decode(last, Array.from({ length: n }, () => gaussian(random))).mean;
      if (boundAtMean(last, x) >= boundAtMean(first, x)) found.push(x);
    }
    return found;
  }

  function boundAtMean(model, x) {
    const q = encode(model, x);
    return logLikelihood(x, decode(model, q.mean)) - divergence(q);
  }

  machine.choose = (dataset) => {
    Object.assign(machine, { dataset, stage: null, x: null, free: null });
    machine.eps.set(machine.drawn);
    gather();
    document.dispatchEvent(new Event("dataset"));
  };
  const renew = () => { machine.eps.set(machine.drawn); machine.free = null; changed = true; request(); };
  machine.setX = (x) => { machine.x = x; renew(); };
  machine.setEps = (values) => { machine.drawn.set(values); machine.eps.set(machine.drawn); machine.free = null; request(); };
  machine.setZ = ([a, b], from = "hand") => {
    if (!machine.main.q) return;
    const { mean, deviation } = machine.main.q;
    machine.eps.set([a, b].map((value, k) => (value - mean[k]) / deviation[k]));
    const near = machine.eps.subarray(0, 2).every((value) => Math.abs(value) <= EPS_REACH);
    machine.free = from === "hand" && near ? null : from;
    request();
  };
  machine.setStage = (name) => { machine.stage = name; gather(); renew(); };
  machine.redraw = request;

  function request() {
    if (!pending) requestAnimationFrame(frame);
    pending = true;
  }

  /** Everything that follows from x alone. */
  function encodeAll() {
    cancel();
    machine.joint = machine.summary = machine.mean = machine.lens = null;
    machine.exact = false;
    for (const side of machine.sides) {
      side.q = encode(side.model, machine.x);
      side.kl = divergence(side.q);
    }
    if (!machine.flat) return;
    const { model, q } = machine.main;
    let need = 3.2 * Math.max(...q.deviation);
    if (model.table) {
      const likelihood = likelihoodSurface(model, machine.x);
      machine.joint = jointSurface(likelihood);
      machine.summary = summary(machine.joint);
      machine.mean = meanOverNoise(q, likelihood);
      const { mean, deviation } = machine.summary;
      for (const k of [0, 1]) need = Math.max(need, Math.abs(mean[k] - q.mean[k]) + 2.9 * deviation[k]);
    }
    machine.lens = { centre: [...q.mean], half: LENSES.find((half) => half >= need) ?? LENSES.at(-1) };
    if (!model.table) {
      cancel = jointByPatience(model, machine.x, machine.lens, (joint) => {
        machine.joint = joint;
        machine.lens.half = joint.half;
        request();
      });
      return;
    }
    cancel = exactByPatience(model, machine.x, q, machine.joint, (exact) => {
      Object.assign(machine, exact, { summary: summary(exact.joint), exact: true });
      request();
    });
  }

  function frame() {
    pending = false;
    if (!machine.x || !machine.sides.length) return;
    if (changed) encodeAll();
    changed = false;
    for (const side of machine.sides) {
      const eps = side === machine.main ? machine.eps : machine.drawn;
      side.z = side.q.mean.map((value, k) => value + side.q.deviation[k] * eps[k]);
      side.decoded = decode(side.model, side.z);
      side.rec = logLikelihood(machine.x, side.decoded);
    }
    for (const view of machine.views) view();
    clearTimeout(resting);
    resting = setTimeout(() => { if (machine.main.decoded) document.dispatchEvent(new Event("rest")); }, 400);
  }

  document.addEventListener("model", ({ detail: name }) => {
    if (!document.getElementById("machine-x")) return;
    if (!palette.ink) readPalette();
    machine.dataset ??= models[name].dataset;
    if (models[name].dataset !== machine.dataset) return;
    gather();
    changed = true;
    document.dispatchEvent(new Event("dataset"));
  });
  for (const radio of document.querySelectorAll('input[name="dataset"]'))
    radio.addEventListener("change", () => machine.choose(radio.value));
  document.addEventListener("theme", () => { readPalette(); request(); });
  document.addEventListener("language", request);
}
