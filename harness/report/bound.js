// The lower bound of one image, nats.
const LOG_2PI = Math.log(2 * Math.PI);

/** KL(q ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²). */
function divergence({ mean, logVar }) {
  return -0.5 * logVar.reduce((sum, value, k) => sum + 1 + value - mean[k] ** 2 - Math.exp(value), 0);
}

/** log p(x|z) of an image under what a decoder has made of z. */
function logLikelihood(x, { mean, logits, logVar }) {
  let sum = 0;
  if (logits) for (let k = 0; k < x.length; k++) sum += x[k] * logits[k] - softplus(logits[k]);
  else for (let k = 0; k < x.length; k++) sum -= ((x[k] - mean[k]) ** 2 * Math.exp(-logVar[k]) + logVar[k] + LOG_2PI) / 2;
  return sum;
}

/** log N(z; 0, I) of two coordinates. */
const logPrior = (z) => -0.5 * (z[0] ** 2 + z[1] ** 2) - LOG_2PI;

// Gauss and Hermite's seven nodes, for the mean of a smooth function over N(0, 1): zeros of He₇ and their weights.
const HERMITE = (() => {
  const he = (n, t) => (n < 2 ? t ** n : t * he(n - 1, t) - (n - 1) * he(n - 2, t));
  return [3.75, 2.37, 1.15, 0, -1.15, -2.37, -3.75].map((t) => {
    for (let k = 0; k < 20; k++) t -= he(7, t) / (7 * he(6, t)); // Newton's steps
    return [t, 720 / (7 * he(6, t) ** 2)];
  });
})();

/** Where to look for a mean over z = μ + σ·ε, ε ~ N(0, I) in two dimensions, and the share of each place. */
const noisePlaces = ({ mean, deviation }) =>
  HERMITE.flatMap(([a, first]) => HERMITE.map(([b, second]) => [[mean[0] + deviation[0] * a, mean[1] + deviation[1] * b], first * second]));

/** The mean over ε of a surface's height at μ + σ·ε. */
const meanOverNoise = (q, surface) => noisePlaces(q).reduce((sum, [z, share]) => sum + share * surface.at(z), 0);

/** The bound in print, to a tenth of a nat: its two terms in print add up to it. */
const boundInPrint = ({ rec, kl }) => rounded(rec, 1) - rounded(kl, 1);
