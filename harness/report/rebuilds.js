// What the decoders make of z: the model in front, and those with other numbers of latent variables beside it.
document.getElementById("machine-rebuilds") && (() => {
  const strip = document.getElementById("machine-rebuilds"), large = document.getElementById("machine-xhat");
  let shown = "", tiles = [];

  function build() {
    const { model } = machine.main;
    canvasFor(model, large);
    tiles = [null, ...machine.sides].map((side) => {
      const canvas = canvasFor(model), bound = make("output", { "aria-live": "off" }), stage = make("small");
      const title = side ? [make("i", {}, "N"), make("sub", {}, "z"), ` = ${side.n}`] : ["x"];
      canvas.setAttribute("role", "img");
      return { canvas, bound, stage, figure: make("figure", {}, canvas, make("figcaption", {}, make("b", {}, ...title), bound, stage)) };
    });
    strip.replaceChildren(...tiles.map((tile) => tile.figure));
    label();
  }

  function label() {
    for (const [k, { canvas }] of tiles.entries())
      canvas.setAttribute("aria-label", k ? say("rebuilt", { n: machine.sides[k - 1].n }) : say("image"));
  }

  machine.views.push(() => {
    const now = machine.sides.map((side) => side.n).join() + machine.dataset;
    if (now !== shown) build();
    shown = now;
    paint(large.getContext("2d"), machine.main.model, machine.main.decoded.mean);
    const back = machine.stage !== null; // only the model in front goes back in training
    tiles.forEach(({ canvas, bound, stage, figure }, k) => {
      const side = machine.sides[k - 1];
      paint(canvas.getContext("2d"), machine.main.model, k ? side.decoded.mean : machine.x);
      if (!k) return;
      bound.value = machine.free && side === machine.main ? "–" : print(boundInPrint(side), 0);
      figure.classList.toggle("fully", back && side !== machine.main);
      stage.textContent = !back ? "" : side === machine.main ? say("samples_seen", { count: side.model.samples.toLocaleString("en") }) : say("fully");
    });
  });
  document.addEventListener("language", label);
})();
