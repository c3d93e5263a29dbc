// Restoring an image of which some pixels are lost: an approximate Gibbs sampler of z and of the lost pixels.

/**
 * One step, of Rezende, Mohamed and Wierstra (2014): z ~ q(z|x̂) by noise ε, then the decoder's mean of the lost pixels;
 * those that are known are put back.
 */
function restoreStep(model, x, known, filled, eps) {
  const { mean, deviation } = encode(model, filled), z = mean.map((mu, k) => mu + deviation[k] * eps[k]);
  const decoded = decode(model, z).mean;
  return { z, decoded, filled: Float32Array.from(filled, (_, k) => (known[k] ? x[k] : decoded[k])) };
}

/** Root mean square of the difference where pixels are lost; null where none is. */
function lostError(x, known, other) {
  let sum = 0, n = 0;
  for (let k = 0; k < x.length; k++) if (!known[k]) { sum += (x[k] - other[k]) ** 2; n += 1; }
  return n ? Math.sqrt(sum / n) : null;
}

/** An image, what is lost of it, and how far its restoring has come. */
class Restoring {
  constructor(x) {
    this.x = Float32Array.from(x);
    this.known = new Uint8Array(x.length).fill(1);
    this.damaged = Float32Array.from(x);
    this.begin();
  }

  begin() {
    const filled = Float32Array.from(this.damaged), error = lostError(this.x, this.known, filled);
    Object.assign(this, { filled, error, mean: filled, meanError: error, steps: 0 });
  }

  /** These pixels are lost: nothing is there any more, or noise is. */
  lose(pixels, noise = () => 0) {
    for (const k of pixels) {
      this.known[k] = 0;
      this.damaged[k] = noise();
    }
    this.begin();
  }

  get lost() { return this.known.some((known) => !known); }

  step(model, eps) {
    const { filled } = restoreStep(model, this.x, this.known, this.filled, eps);
    this.steps += 1;
    const mean = this.steps > 1 ? this.mean.map((value, k) => value + (filled[k] - value) / this.steps) : filled;
    Object.assign(this, { filled, mean, error: lostError(this.x, this.known, filled), meanError: lostError(this.x, this.known, mean) });
  }
}
