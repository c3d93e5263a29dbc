// Each part of the machine: its formula, its numbers now, and the line of code that computes it.
document.getElementById("inspector") && (() => {
  const inspector = document.getElementById("inspector");
  const panels = new Map([...inspector.querySelectorAll("[data-panel]")].map((panel) => [panel.dataset.panel, panel]));
  let part = "z";

  const in2 = (values) => [...values].slice(0, 2);
  const coloured = (symbol, text) => make("span", { class: `c-${symbol}` }, text);
  const vector = (symbol, values, digits = 2) => coloured(symbol, `(${in2(values).map((v) => print(v, digits)).join(", ")}${values.length > 2 ? ", …" : ""})`);
  const nats = (symbol, value, digits = 1) => coloured(symbol, print(value, digits));

  const NOW = {
    x: ({ model }) => [`${model.height} × ${model.width} = ${machine.x.length}`],
    encoder: ({ model }) => [[machine.x.length, ...model.encoder.hidden.map((layer) => layer.nOut), `2 × ${model.nLatent}`].join(" → ")],
    moments: ({ q }) => ["μ = ", vector("mu", q.mean), ", σ = ", vector("sigma", q.deviation)],
    eps: ({ n }) => ["ε = ", vector("eps", machine.eps.subarray(0, n))],
    z: ({ q, z }) => in2(z).flatMap((value, k) => [
      ...(k ? [make("br")] : []), coloured("z", print(value, 2)), " ≈ ", coloured("mu", print(q.mean[k], 2)), " + ",
      coloured("sigma", print(q.deviation[k], 2)), " · ", coloured("eps", print(machine.eps[k], 2)),
    ]),
    posterior: ({ q }) => [
      "q: μ = ", vector("mu", q.mean), ", σ = ", vector("sigma", q.deviation),
      ...(machine.summary ? [make("br"), "p(z|x): ", vector("post", machine.summary.mean), ", ", vector("post", machine.summary.deviation)] : []),
    ],
    plane: ({ z }) => ["z = ", vector("z", z)],
    decoder: ({ model }) => [[model.nLatent, ...model.decoder.hidden.map((layer) => layer.nOut), machine.x.length].join(" → ")],
    xhat: ({ decoded }) => [coloured("xhat", `${print(Math.min(...decoded.mean), 2)} … ${print(Math.max(...decoded.mean), 2)}`)],
    rec: ({ rec }) => [nats("xhat", rec, 2)],
    kl: ({ q, kl }) => {
      const parts = in2(q.mean).map((mu, k) => 0.5 * (mu * mu + q.deviation[k] ** 2 - 1 - q.logVar[k]));
      if (q.mean.length === 2) parts[1] = rounded(kl, 2) - rounded(parts[0], 2);
      return [nats("kl", kl, 2), " = ", parts.map((part) => print(part, 2)).join(" + "), q.mean.length > 2 ? " + …" : ""];
    },
    bound: (side) => [nats("bound", boundInPrint(side)), " = ", nats("xhat", side.rec), " − ", nats("kl", side.kl)],
    gap: ({ kl }) => {
      if (!machine.summary) return [];
      const [limit, bound] = [machine.summary.logMarginal, machine.mean - kl];
      return [nats("post", limit), " = ", nats("bound", bound), " + ", print(rounded(limit, 1) - rounded(bound, 1), 1)];
    },
    rebuilds: () => machine.sides.flatMap((side, k) => [k ? "; " : "", `${side.n}: `, nats("xhat", side.rec), " − ", nats("kl", side.kl), " = ", nats("bound", boundInPrint(side))]),
  };

  function show(name) {
    if (!panels.has(name)) return;
    part = name;
    for (const [key, panel] of panels) panel.hidden = key !== name;
    for (const element of document.querySelectorAll(".machine [data-part]")) element.classList.toggle("pointed", element.dataset.part === name);
    tell();
  }

  const OF_NOISE = ["eps", "z", "rec", "bound", "rebuilds"]; // of these there is nothing to say while no noise is used

  function tell() {
    if (!machine.main?.decoded) return;
    const now = machine.free && OF_NOISE.includes(part) ? NOW.plane : NOW[part];
    panels.get(part).querySelector("output").replaceChildren(...now(machine.main));
  }

  document.addEventListener("dataset", () => {
    const kind = machine.main.model.decoder.logVar ? "gaussian" : "bernoulli";
    for (const code of inspector.querySelectorAll("[data-decoder]")) code.hidden = code.dataset.decoder !== kind;
  });
  const held = () => [...document.querySelectorAll(".machine canvas")].some((canvas) => canvas.matches(":active"));
  for (const element of document.querySelectorAll(".machine [data-part]")) {
    const look = () => show(element.dataset.part);
    element.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse" && !held()) look(); });
    element.addEventListener("focusin", (event) => { event.stopPropagation(); look(); });
    element.addEventListener("click", (event) => {
      if (event.target.closest("[data-part]") !== element) return; // a part within it tells of itself
      look();
      inspector.classList.toggle("open", event.target.closest("button.part") !== null);
    });
  }
  const close = () => inspector.classList.remove("open");
  document.getElementById("inspector-close").addEventListener("click", close);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  machine.views.push(tell);
  show(part);
})();
