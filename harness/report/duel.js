// A duel of two gradients that climb the same bound: the score function's (section 2.2 of the paper) and the
// reparameterized one (section 2.4), on a problem whose answer is known in closed form.

// What is known of two hidden numbers z ~ N(0, I): each row is a·z₁ + b·z₂ = x, measured with noise N(0, 1).
const MEASURED = [
  [1, 1, 0.5], [1, 1, -0.4], [1, 1, 0.9], [1, 1, 0.2],
  [1, 0, 1.9], [1, 0, 1.1],
  [0, 1, -1.6], [0, 1, -0.8],
];

/** The true posterior N(mean, precision⁻¹), log p(x), and the best bound of all Gaussians with independent parts. */
const truth = (() => {
  const precision = [[1, 0], [0, 1]], pull = [0, 0];
  let squares = 0;
  for (const [a, b, x] of MEASURED) {
    precision[0][0] += a * a;
    precision[0][1] += a * b;
    precision[1][0] += a * b;
    precision[1][1] += b * b;
    pull[0] += a * x;
    pull[1] += b * x;
    squares += x * x;
  }
  const [[p, r], [, s]] = precision, det = p * s - r * r;
  const covariance = [[s / det, -r / det], [-r / det, p / det]];
  const mean = covariance.map(([a, b]) => a * pull[0] + b * pull[1]);
  const explained = mean[0] * pull[0] + mean[1] * pull[1];
  const logMarginal = -0.5 * (MEASURED.length * LOG_2PI + Math.log(det) + squares - explained);
  return { precision, pull, squares, det, covariance, mean, logMarginal, best: logMarginal - 0.5 * Math.log((p * s) / det) };
})();

/** log p(x|z) of a pair, and its derivative by both numbers. */
function logLikelihoodOfPair(a, b) {
  const { pull: [u, v], precision: [[p, r], [, s]], squares } = truth;
  const da = u - (p - 1) * a - r * b, db = v - r * a - (s - 1) * b;
  return [-0.5 * (MEASURED.length * LOG_2PI + squares - a * (u + da) - b * (v + db)), da, db];
}

/** q = N(mean, exp(logVar)) of as many copies of the problem as are learned at once, two numbers each; φ is both. */
class Guess {
  constructor(copies) {
    this.size = 2 * copies;
    this.mean = new Float64Array(this.size);
    this.logVar = new Float64Array(this.size); // q starts at the prior
  }

  /** The same, to keep while this one goes on. */
  copy() { return Object.assign(new Guess(this.size / 2), { mean: this.mean.slice(), logVar: this.logVar.slice() }); }

  /** The lower bound, exactly: log p(x) − KL(q ‖ posterior), nats, of all copies. */
  get bound() {
    const { precision, mean: at, det, logMarginal } = truth;
    let bound = 0;
    for (let k = 0; k < this.size; k += 2) {
      const d = [this.mean[k] - at[0], this.mean[k + 1] - at[1]];
      let twice = -2 - Math.log(det);
      for (const i of [0, 1]) {
        twice += precision[i][i] * Math.exp(this.logVar[k + i]) - this.logVar[k + i];
        for (const j of [0, 1]) twice += precision[i][j] * d[i] * d[j];
      }
      bound += logMarginal - 0.5 * twice;
    }
    return bound;
  }

  /** The bound's exact gradient by the mean of the first pair. */
  get slope() {
    const d = [0, 1].map((k) => this.mean[k] - truth.mean[k]);
    return truth.precision.map((row) => -(row[0] * d[0] + row[1] * d[1]));
  }

  /** z = μ + σ·ε. */
  at(eps) { return eps.map((value, j) => this.mean[j] + Math.exp(this.logVar[j] / 2) * value); }

  /** Estimator B, differentiated through z: −KL(q ‖ prior) in closed form, plus log p(x|z). */
  reparameterized(draws) {
    const gradient = this.zero(), n = draws.length;
    for (const eps of draws) {
      const z = this.at(eps);
      for (let k = 0; k < this.size; k += 2) {
        const [, ...pulls] = logLikelihoodOfPair(z[k], z[k + 1]);
        for (const i of [0, 1]) {
          const j = k + i, deviation = Math.exp(this.logVar[j] / 2);
          gradient.mean[j] += (pulls[i] - this.mean[j]) / n; // ∂z/∂μ = 1
          gradient.logVar[j] += 0.5 * (pulls[i] * deviation * eps[j] + 1 - deviation * deviation) / n; // ∂z/∂σ = ε
        }
      }
    }
    return gradient;
  }

  /** f = log p(x, z) − log q(z|x) of a draw: the one number that the score function knows of it. */
  height(eps) {
    const z = this.at(eps);
    let f = 0;
    for (let k = 0; k < this.size; k += 2) f += logLikelihoodOfPair(z[k], z[k + 1])[0];
    for (let j = 0; j < this.size; j++) f += 0.5 * (eps[j] * eps[j] + this.logVar[j] - z[j] * z[j]);
    return f;
  }

  /** (f − b)·∇ log q(z|x), mean over the draws; `baseline(heights)` has b for each of them. */
  score(draws, baseline = (heights) => heights.fill(0)) {
    const gradient = this.zero(), n = draws.length, heights = draws.map((eps) => this.height(eps));
    const under = baseline([...heights]);
    draws.forEach((eps, l) => {
      const weight = (heights[l] - under[l]) / n;
      for (let j = 0; j < this.size; j++) {
        gradient.mean[j] += (weight * eps[j]) / Math.exp(this.logVar[j] / 2);
        gradient.logVar[j] += 0.5 * weight * (eps[j] * eps[j] - 1);
      }
    });
    return { ...gradient, height: heights.reduce((sum, f) => sum + f, 0) / n };
  }

  zero() { return { mean: new Float64Array(this.size), logVar: new Float64Array(this.size) }; }
}

/** For each draw the mean of f over the others. */
function leaveOneOut(heights) {
  const sum = heights.reduce((total, f) => total + f, 0);
  return heights.map((f) => (sum - f) / (heights.length - 1));
}

/** One of the two: its guess, and Adagrad's sums of squares. */
class Climber {
  constructor(copies, gradientOf) {
    Object.assign(this, { guess: new Guess(copies), gradientOf, bounds: [] });
    this.squares = this.guess.zero();
    this.bounds.push(this.guess.bound);
  }

  /** G += g², φ += η·g/√(G + 10⁻⁸). */
  climb(draws, stepSize) {
    const gradient = this.gradientOf(this.guess, draws);
    for (const name of ["mean", "logVar"])
      gradient[name].forEach((g, j) => {
        this.squares[name][j] += g * g;
        this.guess[name][j] += (stepSize * g) / Math.sqrt(this.squares[name][j] + 1e-8);
      });
    this.bounds.push(this.guess.bound);
  }
}

/** Both climbers, from the same start, with the same noise. */
class Duel {
  constructor({ draws = 1, stepSize = 0.3, baseline = false, copies = 1 } = {}, seed = 1) {
    Object.assign(this, { draws, stepSize, baseline, copies, random: seeded(seed), steps: 0 });
    let sum = 0, weight = 0; // of f over all earlier steps, each counting 0.9 of the next
    const running = (heights) => heights.fill(weight ? sum / weight : 0);
    const under = !baseline ? undefined : draws > 1 ? leaveOneOut : running;
    this.score = new Climber(copies, (guess, noise) => {
      const gradient = guess.score(noise, under);
      sum = 0.9 * sum + gradient.height;
      weight = 0.9 * weight + 1;
      return gradient;
    });
    this.reparameterized = new Climber(copies, (guess, noise) => guess.reparameterized(noise));
    /** How the score function's gradient is computed where q is not the climber's own: b is then f's exact mean. */
    this.scoreAt = (guess, noise) => guess.score(noise, under === running ? (heights) => heights.fill(guess.bound) : under);
    this.latest = this.noise();
  }

  /** ε of a step. */
  noise(random = this.random) {
    return Array.from({ length: this.draws }, () => Float64Array.from({ length: 2 * this.copies }, () => gaussian(random)));
  }

  step() {
    this.latest = this.noise();
    for (const climber of [this.score, this.reparameterized]) climber.climb(this.latest, this.stepSize);
    this.steps += 1;
  }
}

/** Mean over the coordinates of the variance over gradients. */
function varianceOf(gradients) {
  const n = gradients.length, rows = gradients.map(({ mean, logVar }) => [...mean, ...logVar]);
  const mean = rows[0].map((_, j) => rows.reduce((sum, row) => sum + row[j], 0) / n);
  const total = rows.reduce((sum, row) => sum + row.reduce((part, g, j) => part + (g - mean[j]) ** 2, 0), 0);
  return total / (n - 1) / mean.length;
}
