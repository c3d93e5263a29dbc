// The two terms of the bound for this image, nats, and what is behind them.
document.getElementById("machine-rec") && (() => {
  const find = (id) => document.getElementById(id), flow = document.querySelector(".flow"), NONE = "–";
  const list = (values) => `(${[...values].slice(0, 2).map((v) => print(v, 2)).join(", ")}${values.length > 2 ? ", …" : ""})`;

  machine.views.push(() => {
    const { q, z, rec, kl } = machine.main, { mean, summary, free } = machine;
    find("machine-mu").value = list(q.mean);
    find("machine-sigma").value = list(q.deviation);
    find("machine-noise").value = free ? NONE : list(machine.eps.subarray(0, z.length));
    find("machine-z").value = list(z);
    find("machine-rec").value = free ? NONE : print(rec, 1);
    find("machine-kl").value = print(kl, 1);
    find("machine-bound").value = free ? NONE : print(boundInPrint(machine.main), 1);
    flow.classList.toggle("free", free !== null);
    for (const from of ["prior", "hand"]) find(`machine-${from}`).hidden = free !== from;
    const known = summary !== null && !free;
    find("machine-limits").hidden = !known;
    find("machine-bar").hidden = !known;
    find("machine-costs").hidden = !known;
    find("machine-density").hidden = Boolean(free) || !machine.main.model.decoder.logVar;
    if (!known) return;
    find("machine-mean").value = print(mean - kl, 1);
    find("machine-marginal").value = print(summary.logMarginal, 1);
    find("machine-gap").value = print(rounded(summary.logMarginal, 1) - rounded(mean - kl, 1), 1);
    // Lengths are costs, −nats: what is missing to log p = 0.
    const whole = Math.max(kl - rec, -summary.logMarginal, kl - mean) * 1.02, share = (value) => `${Math.max(0, (100 * value) / whole)}%`;
    find("machine-bar").style.setProperty("--rec", share(-rec));
    find("machine-bar").style.setProperty("--kl", share(kl));
    find("machine-bar").style.setProperty("--limit", share(-summary.logMarginal));
  });

  // Told to those who do not see it, once things are at rest.
  document.addEventListener("rest", () => {
    const { q, z, rec, kl } = machine.main, { free } = machine;
    find("machine-told").textContent = free ? `z = ${list(z)}. ${find(`machine-${free}`).innerText}` : say("told", {
      mu: list(q.mean), sigma: list(q.deviation), eps: list(machine.eps.subarray(0, z.length)), z: list(z),
      rec: print(rec, 1), kl: print(kl, 1), bound: print(boundInPrint(machine.main), 1),
    });
  });
})();
