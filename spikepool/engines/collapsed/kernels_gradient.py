"""The inner loops of ∂ ln p_i(φ)/∂φ, on the nodes of `kernels.evidence` and `evidence_shared`.

What is differentiated is the sum itself. On the lattices' own nodes that is Fisher's identity,
E[∂ ln p(x|φ)/∂φ | y_i, φ]; where a narrow population has nodes of its own, these move with φ.
"""

from math import comb, factorial
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.engines.collapsed.kernels import OPTIONS, POINTS

_LAGRANGE = np.array(
    [(-1.0) ** (POINTS - 1 - m) * comb(POINTS - 1, m) for m in range(POINTS)]
) / factorial(POINTS - 1)


class Line(NamedTuple):
    """A level of the model at one φ, with P hyperparameters, as `tables.Table` has it.

    Attributes
    ----------
    weights : ndarray, shape (G,)
    scores : ndarray, shape (P, G)
        Derivatives of the log density.
    narrow : ndarray of bool, shape (C,)
    nodes, log_weights : ndarray, shape (Q,)
    node_slopes, weight_slopes : ndarray, shape (P, Q)
        Derivatives of `nodes` and `log_weights`.
    """

    weights: FloatArray
    scores: FloatArray
    narrow: NDArray[np.bool_]
    nodes: FloatArray
    log_weights: FloatArray
    node_slopes: FloatArray
    weight_slopes: FloatArray


class Run(NamedTuple):
    """One axis of a run of neurons; shapes (N,).

    Attributes
    ----------
    start, length : ndarray of int64
    step : ndarray
    place, step_class : ndarray of int64
        Into the nodes and the classes of a `Line`.
    """

    start: IntArray
    length: IntArray
    step: FloatArray
    place: IntArray
    step_class: IntArray


@njit(**OPTIONS)
def polynomial_with_slope(place, length, weights, slopes):
    """As `kernels.polynomial`, with the derivatives of the weights by `place`."""
    base = int(np.floor(place)) - POINTS // 2 + 1
    base = min(max(base, 0), length - POINTS)
    product = 1.0
    slope = 0.0
    for m in range(POINTS):
        weights[m] = product
        slopes[m] = slope
        distance = place - (base + m)
        slope = slope * distance + product
        product *= distance
    product = 1.0
    slope = 0.0
    for m in range(POINTS - 1, -1, -1):
        slopes[m] = _LAGRANGE[m] * (slopes[m] * product + weights[m] * slope)
        weights[m] *= _LAGRANGE[m] * product
        distance = place - (base + m)
        slope = slope * distance + product
        product *= distance
    return base


@njit(**OPTIONS)
def _along(logs, slopes, line, run, i, own, others):
    """Ln ∫ exp(logs) p(x|φ) dx along an axis of neuron i, with its derivatives.

    Those by the level's hyperparameters go to `own`; `slopes`, shape (R, nodes), are derivatives
    of `logs` by R further ones, and their expectations go to `others`.
    """
    if line.narrow[run.step_class[i]]:
        return _along_nodes(logs, slopes, line, run, i, own, others)
    first, length = run.place[i], run.length[i]
    top = logs[:length].max()
    total = 0.0
    own[:] = 0.0
    others[:] = 0.0
    for j in range(length):
        mass = line.weights[first + j] * np.exp(logs[j] - top)
        if not mass > 0.0:
            continue
        total += mass
        for p in range(own.size):
            own[p] += mass * line.scores[p, first + j]
        for r in range(others.size):
            others[r] += mass * slopes[r, j]
    own /= total
    others /= total
    return top + np.log(total)


@njit(**OPTIONS)
def _along_nodes(logs, slopes, line, run, i, own, others):
    """As `_along`, over the nodes of a narrow population; all is interpolated there."""
    weights, derivatives = np.empty(POINTS), np.empty(POINTS)
    top = -np.inf
    total = 0.0
    own[:] = 0.0
    others[:] = 0.0
    for q in range(line.nodes.size):
        place = line.nodes[q] / run.step[i] - run.start[i]
        if place < 0.0 or place > run.length[i] - 1:
            continue
        base = polynomial_with_slope(place, run.length[i], weights, derivatives)
        term = line.log_weights[q]
        slope = 0.0
        for m in range(POINTS):
            term += weights[m] * logs[base + m]
            slope += derivatives[m] * logs[base + m]
        slope /= run.step[i]
        if not np.isfinite(term):
            continue
        if term > top:
            shrink = np.exp(top - term)
            total *= shrink
            own *= shrink
            others *= shrink
            top = term
        mass = np.exp(term - top)
        total += mass
        for p in range(own.size):
            own[p] += mass * (line.weight_slopes[p, q] + slope * line.node_slopes[p, q])
        for r in range(others.size):
            for m in range(POINTS):
                others[r] += mass * weights[m] * slopes[r, base + m]
    if total == 0.0:
        top = np.nan
    own /= total
    others /= total
    return top + np.log(total)


@njit(**OPTIONS)
def _over_rows(likelihood, line, first, logs, slopes):
    """Ln Σ_j w_j L[j, k] for every k, and its derivatives by the rows' hyperparameters."""
    n_rows, n_columns = likelihood.shape
    logs[:n_columns] = 0.0
    slopes[:, :n_columns] = 0.0
    for j in range(n_rows):
        weight = line.weights[first + j]
        for k in range(n_columns):
            logs[k] += weight * likelihood[j, k]
        for p in range(slopes.shape[0]):
            scored = weight * line.scores[p, first + j]
            for k in range(n_columns):
                slopes[p, k] += scored * likelihood[j, k]
    for k in range(n_columns):
        for p in range(slopes.shape[0]):
            slopes[p, k] /= logs[k]
        logs[k] = np.log(logs[k])


@njit(**OPTIONS)
def _over_columns(likelihood, line, first, logs, slopes):
    """Ln Σ_k v_k L[j, k] for every j, and its derivatives by the columns' hyperparameters."""
    n_rows, n_columns = likelihood.shape
    for j in range(n_rows):
        total = 0.0
        slopes[:, j] = 0.0
        for k in range(n_columns):
            mass = line.weights[first + k] * likelihood[j, k]
            total += mass
            for p in range(slopes.shape[0]):
                slopes[p, j] += mass * line.scores[p, first + k]
        slopes[:, j] /= total
        logs[j] = np.log(total)


@njit(**OPTIONS)
def evidence_gradient(values, offset, rows, columns, row_run, column_run, out, gradient):
    """Ln ∬ L p(θ|φ) p(δ|φ) of every neuron, and its derivatives at one φ.

    `gradient` has shape (neurons, P): hyperparameters of the rows, then of the columns.
    """
    n_own = rows.scores.shape[0]
    most = max(row_run.length.max(), column_run.length.max())
    logs, line = np.empty(most), np.empty(most)
    of_rows, of_columns = np.empty((n_own, most)), np.empty((gradient.shape[1] - n_own, most))
    nothing, none = np.empty((0, most)), np.empty(0)
    for i in range(out.size):
        n_rows, n_columns = row_run.length[i], column_run.length[i]
        likelihood = values[offset[i] : offset[i + 1]].reshape(n_rows, n_columns)
        by_row, by_column = gradient[i, :n_own], gradient[i, n_own:]
        if not rows.narrow[row_run.step_class[i]]:
            _over_rows(likelihood, rows, row_run.place[i], logs, of_rows)
        elif not columns.narrow[column_run.step_class[i]]:
            _over_columns(likelihood, columns, column_run.place[i], logs, of_columns)
            out[i] = _along(logs, of_columns, rows, row_run, i, by_row, by_column)
            continue
        else:
            for k in range(n_columns):
                line[:n_rows] = np.log(likelihood[:, k])
                logs[k] = _along(line, nothing, rows, row_run, i, by_row, none)
                of_rows[:, k] = by_row
        out[i] = _along(logs, of_rows, columns, column_run, i, by_column, by_row)


@njit(**OPTIONS)
def shared_gradient(values, offset, rows, row_run, column_run, shared, out, gradient):
    """Ln ∫ L(x, shared) p(x|φ) dx of every neuron, and its derivatives; NaN beyond the columns.

    `gradient` has shape (neurons, P): hyperparameters of the rows, then the shared value.
    """
    weights, derivatives = np.empty(POINTS), np.empty(POINTS)
    line, slopes = np.empty(row_run.length.max()), np.empty((1, row_run.length.max()))
    for i in range(out.size):
        n_rows, n_columns = row_run.length[i], column_run.length[i]
        logs = values[offset[i] : offset[i + 1]].reshape(n_rows, n_columns)
        place = shared / column_run.step[i] - column_run.start[i]
        if not (0.0 <= place <= n_columns - 1):
            out[i] = np.nan
            gradient[i] = np.nan
            continue
        base = polynomial_with_slope(place, n_columns, weights, derivatives)
        for j in range(n_rows):
            line[j] = 0.0
            slopes[0, j] = 0.0
            for m in range(POINTS):
                line[j] += weights[m] * logs[j, base + m]
                slopes[0, j] += derivatives[m] * logs[j, base + m] / column_run.step[i]
        out[i] = _along(line, slopes, rows, row_run, i, gradient[i, :-1], gradient[i, -1:])
