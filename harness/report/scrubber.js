// The scrubber over training: the whole machine as it was when its model with two latent variables had seen less.
document.getElementById("machine-stage") && (() => {
  const find = (id) => document.getElementById(id), slider = find("machine-stage"), box = slider.closest(".at-stages");
  const names = () => machine.stages[machine.dataset] ?? [];
  let told = "";

  /** How far the test images' codes lie from each other, along both coordinates. */
  function spread({ points: { n, z } }) {
    return [0, 1].map((k) => {
      let sum = 0, squares = 0;
      for (let i = k; i < 2 * n; i += 2) { sum += z[i]; squares += z[i] * z[i]; }
      return print(Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2)), 2);
    });
  }

  /** The time that is shown: on the page, to whom the slider is read out, and as the plane's description. */
  function tell() {
    const { model, name } = machine.main ?? {};
    if (!model) return;
    const now = [root.lang, name, names().length].join();
    if (now === told) return;
    told = now;
    const seen = say("samples_seen", { count: model.samples.toLocaleString("en") });
    const bound = model.testBound == null ? "" : say("bound_then", { bound: print(model.testBound, 1) });
    find("machine-samples").value = seen;
    find("machine-then").value = bound;
    slider.setAttribute("aria-valuetext", [seen, bound].filter(Boolean).join(", "));
    const [first, second] = model.points ? spread(model) : [];
    find("machine-plane-then").textContent = names().length < 2 ? "" : [seen, bound, first && say("spread_then", { first, second })].filter(Boolean).join("; ");
  }

  function offer() {
    box.classList.toggle("none", names().length < 2);
    slider.max = Math.max(1, names().length - 1);
    find("machine-times").replaceChildren(...names().map((_, k) => make("option", { value: k }))); // a tick at each
    slider.value = names().indexOf(machine.main?.name);
    tell();
  }

  slider.addEventListener("input", () => {
    const name = names()[slider.value], last = name === names().at(-1);
    machine.setStage(last ? null : name);
    keep("training", last ? null : [machine.dataset, models[name].samples].join());
    tell();
  });
  machine.views.push(() => {
    slider.value = names().indexOf(machine.main.name);
    tell();
  });
  document.addEventListener("dataset", offer);
  document.addEventListener("language", tell);
  for (const radio of document.querySelectorAll('input[name="dataset"]')) radio.addEventListener("change", () => keep("training", null));

  // What the address asks for: a dataset, and after how many samples. Its model is taken once it has been unpacked.
  const [dataset, samples] = (address.get("training") ?? "").split(","), radio = find(`machine-of-${dataset}`);
  if (!radio || !/^\d+$/.test(samples)) return;
  radio.checked = true;
  Object.assign(machine, { dataset, stage: `${dataset}-2@${samples}` });
})();
