// A smooth surface through values on a grid.

/** A surface through values at the nodes of a square grid: cubic B-splines. */
class Surface {
  constructor(n, centre, half, values) {
    Object.assign(this, { n, centre, half, values, spacing: (2 * half) / (n - 1) });
  }

  /** Coefficients of the splines, computed when they are first needed. */
  get coefficients() {
    if (!this.filtered) {
      this.filtered = Float64Array.from(this.values);
      for (let k = 0; k < this.n; k++) filterLine(this.filtered, k * this.n, 1, this.n);
      for (let k = 0; k < this.n; k++) filterLine(this.filtered, k, this.n, this.n);
    }
    return this.filtered;
  }

  /** The largest value at a node. */
  get peak() {
    let peak = -Infinity;
    for (let k = 0; k < this.values.length; k++) if (this.values[k] > peak) peak = this.values[k];
    return peak;
  }

  /** Coordinates of a node. */
  node(i, j) {
    return [this.centre[0] - this.half + i * this.spacing, this.centre[1] - this.half + j * this.spacing];
  }

  /** Where coordinate k is among the nodes, and the splines' weights there; beyond the grid, at its edge. */
  weights(value, k) {
    const u = Math.max(0, Math.min(this.n - 1.0001, (value - this.centre[k] + this.half) / this.spacing)), i = Math.floor(u);
    return { at: [-1, 0, 1, 2].map((step) => mirrored(i + step, this.n)), share: basis(u - i) };
  }

  /** Heights at all pairs of coordinates, row by row. */
  over(xs, ys) {
    const c = this.coefficients, across = xs.map((x) => this.weights(x, 0)), heights = new Float64Array(xs.length * ys.length);
    const rows = new Map(); // a line of coefficients, at each x
    const rowOf = (j) => {
      if (!rows.has(j)) rows.set(j, Float64Array.from(across, ({ at, share }) => {
        const start = j * this.n;
        return share[0] * c[start + at[0]] + share[1] * c[start + at[1]] + share[2] * c[start + at[2]] + share[3] * c[start + at[3]];
      }));
      return rows.get(j);
    };
    ys.forEach((y, k) => {
      const { at, share } = this.weights(y, 1), lines = at.map(rowOf);
      for (let i = 0, out = k * xs.length; i < xs.length; i++, out++)
        heights[out] = share[0] * lines[0][i] + share[1] * lines[1][i] + share[2] * lines[2][i] + share[3] * lines[3][i];
    });
    return heights;
  }

  /** The height at z. */
  at(z) { return this.over([z[0]], [z[1]])[0]; }

  /** The same surface, with nodes also half-way between. */
  doubled() {
    const n = 2 * this.n - 1, [xs, ys] = [0, 1].map((k) => evenly(this.centre[k], this.half, n));
    return new Surface(n, this.centre, this.half, this.over(xs, ys));
  }
}

/** So many numbers around a centre, half of their range to each side. */
const evenly = (centre, half, n) => Array.from({ length: n }, (_, k) => centre - half + (2 * half * k) / (n - 1));

const mirrored = (k, n) => (k < 0 ? -k : k >= n ? 2 * n - 2 - k : k);

function basis(t) {
  const s = 1 - t;
  return [(s * s * s) / 6, 2 / 3 - (t * t * (2 - t)) / 2, 2 / 3 - (s * s * (2 - s)) / 2, (t * t * t) / 6];
}

/** Values to coefficients of cubic B-splines, along a line whose ends are mirrors. */
function filterLine(c, start, stride, n) {
  const pole = Math.sqrt(3) - 2, at = (k) => start + k * stride;
  let first = 0;
  for (let k = 0, power = 1; k < Math.min(n, 30); k++, power *= pole) first += power * c[at(k)];
  for (let k = 0; k < n; k++) c[at(k)] *= 6;
  c[at(0)] = 6 * first;
  for (let k = 1; k < n; k++) c[at(k)] += pole * c[at(k - 1)];
  c[at(n - 1)] = (pole / (pole * pole - 1)) * (c[at(n - 1)] + pole * c[at(n - 2)]);
  for (let k = n - 2; k >= 0; k--) c[at(k)] = pole * (c[at(k + 1)] - c[at(k)]);
}
