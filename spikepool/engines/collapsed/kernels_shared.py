"""The inner loops where one of θ and δ is shared by all neurons and only the other is integrated.

Rows are nodes of the integrated parameter, columns of the shared one, and the lattices hold
ln L − peak: for each φ the logarithms are interpolated, along the columns, at the shared value.
"""

import numpy as np
from numba import njit

from spikepool.engines.collapsed.kernels import (
    OPTIONS,
    POINTS,
    SPREAD,
    aliasing,
    density_quantiles,
    draw_from,
    integrate_nodes,
    polynomial,
    squared_error,
)


@njit(**OPTIONS)
def _slice(logs, place, weights, out):
    """Interpolate every row at `place`, in columns from the first; returns the largest."""
    n_rows, n_columns = logs.shape
    base = polynomial(place, n_columns, weights)
    top = -np.inf
    for j in range(n_rows):
        total = 0.0
        for m in range(POINTS):
            total += weights[m] * logs[j, base + m]
        out[j] = total
        top = max(top, total)
    return top


@njit(**OPTIONS)
def evidence_shared(
    values, offset, rows, columns, row_start, row_step, row_place, row_class,
    column_start, column_step, row_table, row_narrow, row_nodes, row_weights, shared, out,
):  # fmt: skip
    """Ln ∫ L(x, shared) p(x|φ) dx for every neuron and φ; NaN beyond the columns."""
    weights = np.empty(POINTS)
    line = np.empty(rows.max())
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        logs = values[offset[i] : offset[i + 1]].reshape(n_rows, n_columns)
        for d in range(shared.size):
            place = shared[d] / column_step[i] - column_start[i]
            if not (0.0 <= place <= n_columns - 1):
                out[i, d] = np.nan
                continue
            top = _slice(logs, place, weights, line)
            if row_narrow[d, row_class[i]]:
                out[i, d] = integrate_nodes(
                    line, n_rows, row_start[i], row_step[i], row_nodes[d], row_weights[d]
                )
                continue
            total = 0.0
            for j in range(n_rows):
                total += row_table[d, row_place[i] + j] * np.exp(line[j] - top)
            out[i, d] = np.log(total) + top


@njit(**OPTIONS)
def examine_shared(
    values, offset, rows, columns, row_place, column_start, column_step, row_table, shared,
    errors, edges,
):  # fmt: skip
    """Estimate the rule's error, and the share of the first and the last row; as `examine`."""
    weights = np.empty(POINTS)
    line = np.empty(rows.max())
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        logs = values[offset[i] : offset[i + 1]].reshape(n_rows, n_columns)
        errors[i] = 0.0
        edges[i] = 0.0
        for d in range(shared.size):
            top = _slice(logs, shared[d] / column_step[i] - column_start[i], weights, line)
            total = 0.0
            for j in range(n_rows):
                line[j] = row_table[d, row_place[i] + j] * np.exp(line[j] - top)
                total += line[j]
            if not total > 0.0:
                continue
            errors[i] = max(errors[i], aliasing(line, n_rows, total))
            edges[i, 0] = max(edges[i, 0], line[0] / total)
            edges[i, 1] = max(edges[i, 1], line[n_rows - 1] / total)


@njit(**OPTIONS)
def mixture_shared(
    values, offset, rows, columns, row_start, row_step, row_place, column_start, column_step,
    row_table, shared, weights, width, resolved, copies, shifts, threshold, masses,
    moments, quantiles, above, variances, draws, masses_out,
):  # fmt: skip
    """Average every neuron's conditional densities; as `kernels.mixture`, in one dimension.

    `moments`, shape (neurons, 6): mean and variance of x, of e^x; E Var(x|φ)/width²; the squared
    Monte Carlo error of the mean of x.
    """
    polynomials = np.empty(POINTS)
    line = np.empty(rows.max())
    means = np.empty(shared.size)
    for i in range(rows.size):
        n_rows, n_columns = rows[i], columns[i]
        logs = values[offset[i] : offset[i + 1]].reshape(n_rows, n_columns)
        first, step = row_start[i] * row_step[i], row_step[i]
        mass = np.zeros(n_rows)
        ratio = 0.0
        drawn = 0
        for d in range(shared.size):
            place = shared[d] / column_step[i] - column_start[i]
            top = _slice(logs, place, polynomials, line)
            total = 0.0
            mean = 0.0
            square = 0.0
            for j in range(n_rows):
                line[j] = row_table[d, row_place[i] + j] * np.exp(line[j] - top)
                total += line[j]
                mean += line[j] * j
                square += line[j] * j * j
            for j in range(n_rows):
                mass[j] += weights[d] * line[j] / total
            mean /= total
            variance = max(square / total - mean * mean, 0.0) * step * step
            means[d] = first + mean * step
            variances[i, d] = variance
            ratio += weights[d] * variance / max(width[d], resolved * step) ** 2
            for _ in range(copies[d]):
                uniform = (shifts[i, 1] + drawn * SPREAD[1]) % 1.0
                draws[drawn, i] = first + draw_from(line, n_rows, uniform) * step
                drawn += 1
        masses_out[i, :n_rows] = mass
        middle = first + step * (n_rows - 1) / 2
        mean = 0.0
        square = 0.0
        rate = 0.0
        rate_square = 0.0
        for j in range(n_rows):
            x = first + step * j - middle
            mean += mass[j] * x
            square += mass[j] * x * x
            rate += mass[j] * np.exp(x)
            rate_square += mass[j] * np.exp(2 * x)
        moments[i, 0] = middle + mean
        moments[i, 1] = max(square - mean * mean, 0.0)
        moments[i, 2] = rate * np.exp(middle)
        moments[i, 3] = max(rate_square - rate * rate, 0.0) * np.exp(2 * middle)
        moments[i, 4] = ratio
        moments[i, 5] = squared_error(means, weights)
        above[i] = density_quantiles(mass, n_rows, first, step, masses, threshold[i], quantiles[i])
