// A model's true posterior p(z|x) ∝ p(x, z), with two latent variables, on a grid.

/** The grid of a Bernoulli decoder's table: what the last layer's W is applied to at each node. */
function hiddenAtNodes(model) {
  const { n, half } = model.table, grid = new Surface(n, model.view.centre, half, []), last = model.decoder.output;
  const width = last.nIn, h = new Float32Array(n * n * width);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++) h.set(inputOf(last, hiddenOf(model.decoder, grid.node(i, j))), (j * n + i) * width);
  return h;
}

/** log p(x|z) on the table's grid: x·logit is linear in the last layer's input, and the rest does not depend on x. */
function likelihoodSurface(model, x) {
  const { n, half, softplus: rest } = model.table, { weight, bias, nIn } = model.decoder.output;
  model.atNodes ??= hiddenAtNodes(model);
  const h = model.atNodes, pull = new Float32Array(nIn), values = new Float64Array(n * n);
  let offset = 0;
  for (let i = 0; i < x.length; i++) {
    if (!x[i]) continue;
    offset += x[i] * bias[i];
    for (let j = 0, w = i * nIn; j < nIn; j++, w++) pull[j] += x[i] * weight[w];
  }
  for (let k = 0, w = 0; k < values.length; k++) {
    let a = offset - rest[k], b = 0, c = 0, d = 0, j = 0;
    for (; j + 3 < nIn; j += 4, w += 4) {
      a += pull[j] * h[w];
      b += pull[j + 1] * h[w + 1];
      c += pull[j + 2] * h[w + 2];
      d += pull[j + 3] * h[w + 3];
    }
    for (; j < nIn; j++, w++) a += pull[j] * h[w];
    values[k] = a + b + c + d;
  }
  return new Surface(n, model.view.centre, half, values);
}

/** log p(x, z), on a grid that is fine enough to be summed up. */
function jointSurface(coarse) {
  const likelihood = coarse.doubled(), { n, centre, half } = likelihood;
  const [xs, ys] = [0, 1].map((k) => evenly(centre[k], half, n)), values = Float64Array.from(likelihood.values);
  for (let j = 0, k = 0; j < n; j++)
    for (let i = 0; i < n; i++, k++) values[k] -= 0.5 * (xs[i] * xs[i] + ys[j] * ys[j]) + LOG_2PI;
  return new Surface(n, centre, half, values);
}

/** log p(x) = log Σ p(x, z)·(area of a cell), and mean and standard deviation of p(z|x). */
function summary(joint) {
  const { n, values, spacing, peak } = joint;
  let total = 0, sums = [0, 0], squares = [0, 0];
  for (let k = 0; k < values.length; k++) {
    if (values[k] < peak - 30) continue;
    const share = Math.exp(values[k] - peak);
    const z = joint.node(k % n, Math.floor(k / n));
    total += share;
    for (const c of [0, 1]) { sums[c] += share * z[c]; squares[c] += share * z[c] ** 2; }
  }
  const mean = sums.map((sum) => sum / total);
  const deviation = squares.map((square, c) => Math.sqrt(Math.max(square / total - mean[c] ** 2, 0)));
  return { logMarginal: peak + Math.log(total * spacing * spacing), mean, deviation };
}

/**
 * log p(x, z) on a grid of its own, a few nodes a frame, as wide as it must be for the peak to lie well inside.
 * Then `done(joint)`, unless the answer of this function is called before.
 */
function jointByPatience(model, x, { centre, half }, done) {
  const n = 33;
  let joint, k, waiting;
  function begin() {
    joint = new Surface(n, centre, half, new Float64Array(n * n));
    k = 0;
    waiting = requestAnimationFrame(go);
  }
  function go() {
    for (const end = performance.now() + 8; k < n * n && performance.now() < end; k++) {
      const z = joint.node(k % n, Math.floor(k / n));
      joint.values[k] = logLikelihood(x, decode(model, z)) + logPrior(z);
    }
    if (k < n * n) waiting = requestAnimationFrame(go);
    else if (farOut(joint) > 0.7 && half < model.view.half) {
      half *= 1.6;
      begin();
    } else done(joint);
  }
  begin();
  return () => cancelAnimationFrame(waiting);
}

/** How far from the middle the peak is, of the way to the edge. */
function farOut({ n, values, peak }) {
  const at = values.indexOf(peak);
  return Math.max(...[at % n, Math.floor(at / n)].map((k) => Math.abs((2 * k) / (n - 1) - 1)));
}

const NEAR = 14; // nats below the peak: what lies deeper has no share that could be told

/**
 * What splines between nodes give only nearly, from the decoder itself, a few places a frame: log p(x, z) wherever it has
 * a share in the sum, and the mean of log p(x|z) over the noise. Then `done({ joint, mean })`, unless the answer of this
 * function is called before.
 */
function exactByPatience(model, x, q, joint, done) {
  const values = Float64Array.from(joint.values), floor = joint.peak - NEAR, near = [];
  for (let k = 0; k < values.length; k++) if (values[k] > floor) near.push(k);
  const exact = (z) => logLikelihood(x, decode(model, z)), noise = noisePlaces(q);
  let waiting, at = 0, mean = 0;
  function go() {
    for (const end = performance.now() + 8; at < near.length + noise.length && performance.now() < end; at++) {
      if (at >= near.length) {
        const [z, share] = noise[at - near.length];
        mean += share * exact(z);
        continue;
      }
      const k = near[at], z = joint.node(k % joint.n, Math.floor(k / joint.n));
      values[k] = exact(z) + logPrior(z);
    }
    if (at < near.length + noise.length) waiting = requestAnimationFrame(go);
    else done({ joint: new Surface(joint.n, joint.centre, joint.half, values), mean });
  }
  waiting = requestAnimationFrame(go);
  return () => cancelAnimationFrame(waiting);
}
