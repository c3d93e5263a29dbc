// A walk from one image to another: straight on in z, beside the cross-fade of their pixels.
const walk = { dataset: null, model: null, images: [], ends: [], t: 0.5 };

/** A share of the way from one list of numbers to another. */
const between = (a, b, t) => a.map((value, k) => (1 - t) * value + t * b[k]);

/** What is seen there: the decoder's answer to z on the straight line, and the mixed pixels. */
walk.at = (t) => ({ along: decode(walk.model, between(...walk.ends, t)).mean, fade: between(...walk.images, t) });

document.getElementById("walk-along") && (() => {
  const TILES = 9, SECONDS = 5, USUAL = { mnist: [2, 3], frey_face: [1, 8] };
  const find = (id) => document.getElementById(`walk-${id}`), figure = document.getElementById("walk");
  const slider = find("t"), shown = { along: find("along"), fade: find("fade") };
  const strips = Object.fromEntries(["along", "fade"].map((name) => [name, find(`${name}-strip`)]));
  const picks = ["from", "to"].map((name) => new Picks(find(name), change));
  let wanted = read(), stop = () => {}, offered = "";

  /** What the address asks for: dataset, number of latent variables, both images, how far. */
  function read() {
    const [dataset, size, from, to, t] = (address.get("walk") ?? "").split(",");
    return { dataset, size: Number(size), picks: [from, to].map((k) => (/^\d+$/.test(k) ? Number(k) : null)), t: Number(t) };
  }
  function write() {
    keep("walk", [walk.dataset, walk.model.nLatent, ...picks.map((row) => row.chosen), Math.round(100 * walk.t)].join());
  }

  function show() {
    const seen = walk.at(walk.t), percent = Math.round(100 * walk.t), every = innerWidth < 640 ? 2 : 1; // narrow strips have half as many
    const nearest = every * Math.round((walk.t * (TILES - 1)) / every);
    slider.value = percent;
    find("share").value = `${percent} %`;
    slider.setAttribute("aria-valuetext", `${percent} %`);
    for (const [name, canvas] of Object.entries(shown)) {
      paint(canvas.getContext("2d"), walk.model, seen[name]);
      [...strips[name].children].forEach((tile, k) => tile.classList.toggle("here", k === nearest));
    }
  }

  /** Both ends anew: encoded, and what lies between them. */
  function change() {
    stop();
    walk.images = picks.map((row) => row.image);
    walk.ends = walk.images.map((x) => encode(walk.model, x).mean);
    for (const [name, canvas] of Object.entries(shown)) {
      canvasFor(walk.model, canvas);
      strips[name].replaceChildren(...Array.from({ length: TILES }, () => canvasFor(walk.model)));
    }
    stop = inSlices(Array.from({ length: TILES }, (_, k) => () => {
      const seen = walk.at(k / (TILES - 1));
      for (const name in strips) paint(strips[name].children[k].getContext("2d"), walk.model, seen[name]);
    }));
    show();
  }

  /** The models that there are so far. */
  function offer(dataset) {
    const known = modelsOf(dataset), first = walk.dataset !== dataset;
    const size = offerSizes(find("sizes"), known.map((model) => model.nLatent), wanted.size || 10, (n) => {
      wanted.size = n;
      walk.model = modelsOf(dataset).find((model) => model.nLatent === n);
      change();
      write();
    });
    Object.assign(walk, { dataset, model: known.find((model) => model.nLatent === size) });
    if (first) picks.forEach((row, k) => row.fill(dataset, wanted.picks[k] ?? USUAL[dataset][k]));
    for (const name of ["mnist", "frey_face"]) for (const text of figure.querySelectorAll(`.of-${name}`)) text.hidden = name !== dataset;
    change();
  }

  document.addEventListener("model", ({ detail: name }) => {
    const { dataset } = models[name], chosen = figure.querySelector('input[name="walk-dataset"]:checked').value;
    const known = modelsOf(dataset).map((model) => model.nLatent).join();
    if (dataset !== chosen || `${dataset} ${known}` === offered) return; // not a model of earlier
    offered = `${dataset} ${known}`;
    if (dataset === wanted.dataset && wanted.t >= 0 && wanted.t <= 100 && !walk.dataset) walk.t = wanted.t / 100;
    offer(dataset);
  });
  for (const radio of figure.querySelectorAll('input[name="walk-dataset"]')) {
    radio.checked = radio.value === wanted.dataset || (radio.checked && !figure.querySelector(`input[value="${CSS.escape(wanted.dataset)}"]`));
    radio.addEventListener("change", () => {
      wanted = { size: wanted.size, picks: [null, null] };
      if (modelsOf(radio.value).length) offer(radio.value);
      write();
    });
  }
  for (const row of picks) row.box.addEventListener("click", write);
  for (const name in strips) strips[name].replaceChildren(...Array.from({ length: TILES }, () => canvasFor({ width: 28, height: 28 })));
  slider.addEventListener("input", () => {
    play(false);
    walk.t = slider.value / 100;
    if (walk.model) show();
    write();
  });
  const play = player(figure, find("play"), (seconds) => {
    if (!walk.model) return false;
    walk.t = walk.t >= 1 ? 0 : Math.min(1, walk.t + seconds / SECONDS);
    show();
    if (walk.t >= 1) write();
    return walk.t < 1;
  });
})();
